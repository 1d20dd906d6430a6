"""Which features come first: by promise, by number, by density, as given."""

from __future__ import annotations

import numpy as np

from glossator.agents.run_work.feature_order import in_order, promise, unfit_at_planning
from glossator.agents.verdict import MAX_DENSITY, MIN_FIRINGS_EXPLORE
from glossator.records import RunOrder

COUNT = np.array([0, 25, 3000, 3000, 100_000, 3000])
DENSITY = COUNT / 300_000


def test_promising_features_fire_often_enough_and_not_too_often() -> None:
    features, worth = in_order([5, 4, 3, 2, 1, 0], RunOrder.PROMISING, COUNT, DENSITY)
    assert features.tolist() == [2, 3, 5, 1, 4, 0]  # equals by number
    assert np.all(np.diff(worth) <= 0)
    assert worth[-1] == 0


def test_the_promise_that_the_text_names() -> None:
    shown = promise(np.array([300, 300, 20]), np.array([0.001, 0.1, 0.001]))
    assert np.allclose(shown, [0.635, 0.111, 0.112], atol=2e-3)


def test_other_orders() -> None:
    chosen = [4, 1, 5]
    assert in_order(chosen, RunOrder.INDEX, COUNT, DENSITY)[0].tolist() == [1, 4, 5]
    assert in_order(chosen, RunOrder.GIVEN, COUNT, DENSITY)[0].tolist() == [4, 1, 5]
    assert in_order(chosen, RunOrder.DENSE, COUNT, DENSITY)[0].tolist() == [4, 5, 1]


def test_what_is_left_out_has_its_reason() -> None:
    assert unfit_at_planning(0, 0.0).startswith("dead")
    assert unfit_at_planning(MIN_FIRINGS_EXPLORE - 1, 0.001).startswith("too rare")
    assert unfit_at_planning(10_000, MAX_DENSITY + 0.01).startswith("always on")
    assert unfit_at_planning(MIN_FIRINGS_EXPLORE, MAX_DENSITY) == ""
