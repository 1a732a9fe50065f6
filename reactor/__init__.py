"""Deterministic synthetic markets: pure functions of (seed, market, minute), integers in and out.

Nothing in here knows a venue, a socket, the wall clock or global randomness.
"""
