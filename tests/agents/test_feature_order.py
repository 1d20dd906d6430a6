"""Which features come first: by promise, by number, by density, as given."""

from __future__ import annotations

import numpy as np
import pytest

from glossator.agents.run_work.feature_order import KNOWN, in_order, promise, unfit_at_planning
from glossator.agents.verdict import MAX_DENSITY, MIN_FIRINGS_EXPLORE
from glossator.probes.activation_index.token_concentration import TokenConcentration
from glossator.records import RunOrder

COUNT = np.array([0, 25, 3000, 3000, 100_000, 3000])
DENSITY = COUNT / 300_000


ALIKE = TokenConcentration(COUNT, np.full(6, 30.0), np.full(6, 0.2))


def never() -> TokenConcentration:
    raise AssertionError("only the promising order looks at tokens")


def test_promising_features_fire_often_enough_and_not_too_often() -> None:
    features, worth = in_order([5, 4, 3, 2, 1, 0], RunOrder.PROMISING, COUNT, DENSITY, lambda: ALIKE)
    assert features.tolist() == [2, 3, 5, 1, 4, 0]  # equals by number
    assert np.all(np.diff(worth) <= 0)
    assert worth[-1] == 0


def test_promising_features_fire_on_few_tokens_but_not_on_one_alone() -> None:
    count, density = np.full(5, 3000), np.full(5, 0.001)
    firings = np.array([3000, 3000, 3000, 3000, KNOWN - 1])
    shown = TokenConcentration(
        firings, np.array([300.0, 10.0, 1.2, 99.0, 2.0]), np.array([0.1, 0.3, 0.95, 0.1, 0.9])
    )
    features, worth = in_order(range(5), RunOrder.PROMISING, count, density, lambda: shown)
    assert features.tolist() == [1, 3, 4, 2, 0]  # the fourth's tokens are not known yet
    assert worth[0] / worth[-1] == pytest.approx(4 / 1.1)


def test_the_promise_that_the_text_names() -> None:
    alone = TokenConcentration(np.full(3, 300), np.zeros(3), np.zeros(3))
    shown = promise(np.array([300, 300, 20]), np.array([0.001, 0.1, 0.001]), alone)
    assert np.allclose(shown, [0.635, 0.111, 0.112], atol=2e-3)


def test_other_orders() -> None:
    chosen = [4, 1, 5]
    for order, expected in (
        (RunOrder.INDEX, [1, 4, 5]),
        (RunOrder.GIVEN, chosen),
        (RunOrder.DENSE, [4, 5, 1]),
    ):
        assert in_order(chosen, order, COUNT, DENSITY, never)[0].tolist() == expected


def test_what_is_left_out_has_its_reason() -> None:
    assert unfit_at_planning(0, 0.0).startswith("dead")
    assert unfit_at_planning(MIN_FIRINGS_EXPLORE - 1, 0.001).startswith("too rare")
    assert unfit_at_planning(10_000, MAX_DENSITY + 0.01).startswith("always on")
    assert unfit_at_planning(MIN_FIRINGS_EXPLORE, MAX_DENSITY) == ""
