"""The keys of calls that are in the ledger."""

from __future__ import annotations

import hashlib

from glossator.agents.llm_calls.known_keys import KnownKeys


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_it_holds_what_was_taken_in_one_by_one_and_many_at_once() -> None:
    known = KnownKeys()
    assert key(0) not in known
    known.update(key(i) for i in range(0, 20_000, 2))
    known.update(key(i) for i in range(0, 200, 2))
    for i in range(1, 20_000, 4):
        known.add(key(i))
        known.add(key(i))
    assert len(known) == 15_000
    for i in range(20_000):
        assert (key(i) in known) == (i % 4 != 3)


def test_the_ends_of_the_range_are_keys_like_any() -> None:
    known = KnownKeys()
    known.update(["0" * 64, "f" * 64])
    assert ["0" * 64 in known, "f" * 64 in known, "7" * 64 in known] == [True, True, False]
