from __future__ import annotations

import numpy as np
import pytest

from glossator.probes.activation_index.recent_firings import RecentFirings
from glossator.probes.split_view import Firings


def firings(n: int) -> Firings:
    """12 bytes a firing."""
    return Firings(np.arange(n, dtype=np.int64), np.ones(n, dtype=np.float32))


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    recent = RecentFirings(most_bytes=12 * 25)
    for feature in (1, 2):
        recent.keep(feature, firings(10))
    recent.get(1)
    recent.keep(3, firings(10))
    assert [recent.get(feature) is None for feature in (1, 2, 3)] == [False, True, False]


def test_the_bytes_of_what_is_replaced_are_free_again() -> None:
    recent = RecentFirings(most_bytes=12 * 25)
    for _ in range(10):
        recent.keep(1, firings(10))
    recent.keep(2, firings(10))
    assert recent.get(1) is not None
    assert recent.get(2) is not None


def test_more_than_may_be_kept_is_handed_through_and_drops_nothing() -> None:
    recent = RecentFirings(most_bytes=12 * 25)
    recent.keep(1, firings(10))
    assert len(recent.keep(2, firings(26)).position) == 26
    assert recent.get(2) is None
    assert recent.get(1) is not None


def test_nobody_can_change_what_others_will_be_given() -> None:
    kept = RecentFirings().keep(1, firings(3))
    with pytest.raises(ValueError, match="read-only"):
        kept.activation[0] = 2.0
