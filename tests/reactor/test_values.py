"""Values: what the standard library makes of the same class, they are, too."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any

import pytest

from reactor.values import dataclass

made: list[int] = []


def _number() -> int:
    made.append(len(made))
    return 7


def _declared(decorate: Callable[[type], type]) -> type[Any]:
    """One class with all that a class may have, by either decorator."""

    class Base:
        """With a field of its own."""

        __annotations__ = {"first": "int"}

    class Value(decorate(Base)):  # type: ignore[misc]
        """Defaults of all kinds, a field that is not compared, one that is neither shown nor given."""

        __annotations__ = {
            "second": "str",
            "third": "int",
            "fourth": "int",
            "unseen": "object",
            "derived": "int",
            "named": "int",
        }
        second = "two"
        third = field(default_factory=_number)
        fourth = field(default=4, compare=False)
        unseen = field(default=None, repr=False, compare=False)
        derived = field(init=False, default=0)
        named = field(default=5, kw_only=True)

        def __post_init__(self) -> None:
            object.__setattr__(self, "derived", self.third * 2)

    Value.__qualname__ = "Value"
    return decorate(Value)


OURS = _declared(dataclass(frozen=True, slots=True))
THEIRS = _declared(dataclasses.dataclass(frozen=True, slots=True))
GIVEN: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "b"), {}),
    ((1, "b", 3, 9), {"unseen": "x"}),
    ((), {"first": 1, "third": 3, "named": 6}),
]


@dataclass(frozen=True, slots=True)
class Price:
    """One that can be pickled: it has a name in its module."""

    ticks: int
    scale: int = 2


@pytest.mark.parametrize("given", GIVEN)
def test_it_is_shown_hashed_and_taken_apart_as_the_standard_librarys(
    given: tuple[tuple[Any, ...], dict[str, Any]],
) -> None:
    ours, theirs = OURS(*given[0], **given[1]), THEIRS(*given[0], **given[1])
    assert repr(ours) == repr(theirs)
    assert hash(ours) == hash(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert list(inspect.signature(OURS).parameters) == list(inspect.signature(THEIRS).parameters)
    assert OURS.__match_args__ == THEIRS.__match_args__


def test_equal_are_those_of_one_class_whose_compared_fields_are() -> None:
    assert OURS(1, "b", 3, 4) == OURS(1, "b", 3, 5)
    assert OURS(1, "b", 3) != OURS(1, "c", 3)
    assert OURS(1, "b", 3) != THEIRS(1, "b", 3)
    assert len({OURS(1), OURS(1), OURS(2)}) == 2


def test_what_is_made_each_time_is_made_when_it_is_not_given() -> None:
    made.clear()
    OURS(1, "b", 3)
    assert not made
    OURS(1)
    OURS(1)
    assert len(made) == 2


@pytest.mark.parametrize(
    "given", [((), {}), ((1, 2, 3, 4, 5, 6, 7), {}), ((1,), {"other": 1}), ((1,), {"derived": 1})]
)
def test_it_takes_what_the_standard_librarys_takes(given: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    for each in (OURS, THEIRS):
        with pytest.raises(TypeError):
            each(*given[0], **given[1])


def test_it_cannot_be_changed() -> None:
    price = Price(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'ticks'"):
        price.ticks = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'ticks'"):
        del price.ticks
    assert not hasattr(price, "__dict__")


def test_it_is_copied_pickled_and_replaced() -> None:
    price = Price(7)
    assert pickle.loads(pickle.dumps(price)) == copy.copy(price) == copy.deepcopy(price) == price
    assert dataclasses.replace(price, scale=3) == Price(7, 3)


def test_methods_of_its_own_stay() -> None:
    @dataclass(frozen=True, slots=True)
    class Shown:
        """Says and hashes something else."""

        number: int

        def __repr__(self) -> str:
            return "shown"

        def __hash__(self) -> int:
            return 1

    assert (repr(Shown(2)), hash(Shown(2))) == ("shown", 1)
    assert Shown(1) != Shown(2)


def test_one_that_is_told_apart_by_identity_is() -> None:
    @dataclass(frozen=True, slots=True, eq=False)
    class Card:
        """One of its kind."""

        number: int

    assert Card(1) != Card(1)
    assert Card.__hash__ is object.__hash__


def test_it_has_heirs_of_either_kind_that_are_frozen_as_it_is() -> None:
    @dataclass(frozen=True, slots=True)
    class Ours(Price):
        """By the same decorator."""

        size: int = 0

    @dataclasses.dataclass(frozen=True)
    class Theirs(Price):
        """By the standard library's."""

        size: int = 0

    assert (Ours(1, 2, 3), Theirs(1, 2, 3)) == (Ours(1, size=3), Theirs(1, size=3))
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):
        dataclasses.dataclass(type("Thawed", (Price,), {}))
