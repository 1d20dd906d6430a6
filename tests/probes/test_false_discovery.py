"""The test's level and power on planted labels, and the share of false ones among those that hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Bool, Float

from glossator.probes.false_discovery import SignTest, adjusted_p, after_looks, detection_contributions

Q = 0.05


@dataclass(frozen=True)
class _Reading:
    """Windows of one label: two to six in a document, all firing or all silent, answered alike."""

    documents: list[str]
    fires: Bool[np.ndarray, " windows"]
    said: Bool[np.ndarray, " windows"]


def _reading(rng: np.random.Generator, rate: float, documents: int = 40, alike: float = 0.7) -> _Reading:
    """A reader that is right with `rate`; with `alike`, a window's answer is that of its document."""
    sizes = rng.integers(2, 7, documents)
    number = np.repeat(np.arange(documents), sizes)
    fires = number % 2 == 0
    of_document = rng.random(documents) < rate
    own = rng.random(len(number)) < rate
    right = np.where(rng.random(len(number)) < alike, of_document[number], own)
    return _Reading([f"d{i}" for i in number], fires, np.where(right, fires, ~fires))


def _p(test: SignTest, reading: _Reading, reached: float = 0.5) -> float:
    found = detection_contributions(reading.documents, reading.fires, reading.said, reached)
    assert found is not None
    return test.p_value(found)


def _naive_p(test: SignTest, reading: _Reading) -> float:
    """The same test with windows as the unit."""
    windows = [str(i) for i in range(len(reading.documents))]
    return _p(test, _Reading(windows, reading.fires, reading.said))


def _shares(
    p: Float[np.ndarray, "runs labels"], null: Bool[np.ndarray, " labels"]
) -> Float[np.ndarray, " runs"]:
    """False ones among the discoveries of each run; 0 where there are none."""
    held = np.array([adjusted_p(row, len(row)) <= Q for row in p])
    return (held & null).sum(axis=1) / np.maximum(held.sum(axis=1), 1)


@pytest.fixture(scope="module")
def simulated() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """300 runs of 30 labels, 24 of them no better than others': p, p by windows, which are null."""
    rng, test = np.random.default_rng(20), SignTest(seed=1)
    null = np.arange(30) < 24
    by_document, by_window = np.empty((300, 30)), np.empty((300, 30))
    for run in range(300):
        for label in range(30):
            reading = _reading(rng, 0.5 if null[label] else 0.85)
            by_document[run, label] = _p(test, reading)
            by_window[run, label] = _naive_p(test, reading)
    return by_document, by_window, null


def test_false_ones_stay_below_q_and_true_ones_are_found(
    simulated: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    by_document, _, null = simulated
    shares = _shares(by_document, null)
    error = float(shares.std() / np.sqrt(len(shares)))
    assert float(shares.mean()) <= Q + 2 * error
    found = np.array([adjusted_p(row, 30) <= Q for row in by_document])[:, ~null]
    assert float(found.mean()) > 0.7


def test_choosing_by_the_same_answers_does_not_raise_the_share(
    simulated: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Accepted are those that look good; forgetting the others would let in false ones."""
    by_document, _, null = simulated
    kept, forgetful = np.zeros(len(by_document)), np.zeros(len(by_document))
    for i, row in enumerate(by_document):
        accepted = np.flatnonzero(row <= 0.1)
        for shares, tested in ((kept, len(row)), (forgetful, len(accepted))):
            held = accepted[adjusted_p(row[accepted], tested) <= Q]
            shares[i] = null[held].mean() if len(held) else 0.0
    assert float(kept.mean()) <= Q + 2 * float(kept.std() / np.sqrt(len(kept)))
    assert float(forgetful.mean()) > 1.5 * Q


def test_the_simulation_would_catch_a_test_that_takes_windows_for_independent(
    simulated: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    _, by_window, null = simulated
    assert float(_shares(by_window, null).mean()) > 2 * Q


def test_p_values_of_null_labels_are_uniform_or_larger(
    simulated: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    by_document, _, null = simulated
    p = by_document[:, null].ravel()
    for level in (0.001, 0.01, 0.05, 0.2):
        error = float(np.sqrt(level * (1 - level) / len(p)))
        assert float((p <= level).mean()) <= level + 3 * error + 0.15 * level


def test_a_label_must_beat_what_others_reach_not_a_coin() -> None:
    rng, test = np.random.default_rng(3), SignTest(seed=2)
    readings = [_reading(rng, 0.65) for _ in range(400)]
    against_coin = np.array([_p(test, r, 0.5) for r in readings])
    against_others = np.array([_p(test, r, 0.65) for r in readings])
    assert float((against_coin <= 0.05).mean()) > 0.4
    assert float((against_others <= 0.05).mean()) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_stopping_when_it_looks_best_is_paid_for() -> None:
    """Null labels, read in nine stages and stopped at the stage with the smallest p: the worst rule."""
    rng, test, ends = np.random.default_rng(8), SignTest(seed=9), range(10, 51, 5)
    smallest: list[float] = []
    for _ in range(400):
        reading = _reading(rng, 0.5, documents=100, alike=1.0)
        windows = np.array([int(d[1:]) for d in reading.documents])
        smallest.append(min(_p(test, _part(reading, windows < 2 * end)) for end in ends))
    error = 3 * np.sqrt(0.05 * 0.95 / 400)
    assert float((np.array(smallest) <= 0.05).mean()) > 0.05 + error
    paid = np.array([after_looks(p, len(ends)) for p in smallest])
    assert float((paid <= 0.05).mean()) <= 0.05 + error


def _part(reading: _Reading, here: Bool[np.ndarray, " windows"]) -> _Reading:
    documents = [d for d, seen in zip(reading.documents, here.tolist(), strict=True) if seen]
    return _Reading(documents, reading.fires[here], reading.said[here])


def test_contributions_sum_to_the_excess_and_belong_to_documents() -> None:
    fires = np.array([True, True, True, False, False])
    said = np.array([True, True, False, False, True])
    found = detection_contributions(["a", "a", "b", "b", "c"], fires, said, 0.5)
    assert found is not None
    assert len(found) == 3
    assert float(found.sum()) == pytest.approx((2 / 3 + 1 / 2) / 2 - 0.5)


def test_no_contributions_where_one_kind_of_window_is_missing() -> None:
    fires = np.array([True, True])
    assert detection_contributions(["a", "b"], fires, fires, 0.5) is None


def test_a_perfect_label_on_few_documents_has_the_exact_p() -> None:
    p = SignTest(seed=4).p_value(np.full(4, 0.125))
    assert p == pytest.approx(1 / 16, abs=0.02)


def test_beyond_the_draws_p_follows_a_bound_that_is_never_too_small() -> None:
    p = SignTest(seed=4).p_value(np.full(60, 0.01))
    assert 2.0**-60 <= p < 1e-12


def test_what_is_not_above_has_p_1() -> None:
    test = SignTest(seed=5)
    assert test.p_value(np.array([0.1, -0.1])) == 1.0
    assert test.p_value(np.zeros(3)) == 1.0


def test_the_same_seed_gives_the_same_p() -> None:
    reading = _reading(np.random.default_rng(6), 0.6)
    assert _p(SignTest(seed=7), reading) == _p(SignTest(seed=7), reading)


def test_adjusted_p_is_that_of_the_paper() -> None:
    p = np.array([0.04, 0.001, 0.02])
    assert adjusted_p(p, 3).tolist() == pytest.approx([0.04, 0.003, 0.03])


def test_labels_that_were_tested_and_not_accepted_count() -> None:
    p = np.array([0.01, 0.02])
    assert (adjusted_p(p, 2) <= Q).all()
    assert not (adjusted_p(p, 20) <= Q).any()
    with pytest.raises(ValueError, match="cannot hold"):
        adjusted_p(p, 1)
