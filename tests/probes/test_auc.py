from __future__ import annotations

import numpy as np
import pytest

from glossator.probes.auc import auc_interval, auc_value

FIRING = np.array([True, True, True, False, False])


def test_auc_by_hand() -> None:
    scores = np.array([[3.0, 2.0, 1.0, 2.0, 0.0]])
    # 3>2, 3>0, 2=2, 2>0, 1<2, 1>0: 4.5 of 6
    assert auc_value(scores, FIRING) == pytest.approx(0.75)
    assert auc_value(-scores, FIRING) == pytest.approx(0.25)
    assert auc_value(np.vstack([scores, -scores]), FIRING) == pytest.approx(0.5)
    assert auc_value(scores[:, :3], FIRING[:3]) is None


def test_degenerate_aucs_give_wide_intervals() -> None:
    perfect = auc_interval(FIRING[None].astype(float), FIRING, np.arange(5))
    assert perfect.low < 0.5
    assert perfect.high == pytest.approx(1.0)
    one_document = auc_interval(np.array([[3.0, 2.0, 1.0, 2.0, 0.0]]), FIRING, np.zeros(5, dtype=np.int64))
    assert one_document.high - one_document.low > 0.7
    empty = auc_interval(np.zeros((1, 3)), FIRING[:3], np.arange(3))
    assert (empty.low, empty.high) == (0.0, 1.0)


@pytest.mark.parametrize("clusters", [10, 50])
def test_clustered_auc_covers_the_truth(clusters: int) -> None:
    # Scores: document effect of variance 1 + noise of variance 1; shift 1.5 gives AUC = Phi(1.5 / 2).
    truth, rng, hits = 0.7733726, np.random.default_rng(clusters), 0
    document = np.repeat(np.arange(2 * clusters), 4)
    firing = document < clusters
    for _ in range(400):
        scores = rng.normal(size=2 * clusters)[document] + rng.normal(size=len(document)) + 1.5 * firing
        interval = auc_interval(scores[None], firing, document)
        hits += interval.low <= truth <= interval.high
    assert hits / 400 >= 0.92


def test_the_spread_of_readings_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    firing, document = np.arange(400) < 200, np.arange(400)
    shifts = np.array([-1.0, -0.5, 0.5, 1.0])
    scores = rng.normal(size=(4, 400)) + shifts[:, None] * firing
    together, alone = (
        auc_interval(scores, firing, document),
        auc_interval(scores[:1] * 0 + rng.normal(size=400), firing, document),
    )
    assert together.high - together.low > 3 * (alone.high - alone.low)
