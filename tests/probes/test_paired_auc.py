from __future__ import annotations

import math

import numpy as np

from glossator.probes.paired_auc import paired_auc_difference

FIRING = np.arange(100) < 50
DOCUMENT = np.arange(100) % 25


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    signal = FIRING.astype(float)

    def reading(noise: float) -> np.ndarray:
        return signal + rng.normal(0, noise, 100)

    truth = 0.5 * (math.erf(1 / (2 * 0.7)) - math.erf(1 / (2 * 1.5)))  # AUC of two normals, 1 apart
    found = [
        paired_auc_difference(reading(0.7), reading(1.5), FIRING, DOCUMENT, seed=i, draws=400)
        for i in range(200)
    ]
    covered = sum(i.low <= truth <= i.high for i in found)
    assert 180 <= covered <= 200


def test_equal_readings_do_not_get_an_interval_of_no_width() -> None:
    scores = FIRING + np.linspace(0, 2, 100)
    interval = paired_auc_difference(scores, scores.copy(), FIRING, DOCUMENT, seed=0)
    assert interval.low < 0 < interval.high
    assert interval.method == "difference of two intervals"


def test_one_document_says_little() -> None:
    rng = np.random.default_rng(1)
    first, second = FIRING + rng.normal(0, 0.2, 100), FIRING + rng.normal(0, 2, 100)
    interval = paired_auc_difference(first, second, FIRING, np.zeros(100, dtype=int), seed=0)
    assert interval.high - interval.low > 0.5


def test_ties_count_half() -> None:
    flat, perfect = np.zeros(100), FIRING.astype(float)
    flat[0] = 1e-9
    interval = paired_auc_difference(perfect, flat, FIRING, DOCUMENT, seed=0)
    assert interval.low <= 0.49 <= interval.high
