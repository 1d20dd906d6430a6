"""The test's level and power on planted labels, and the share of false ones among those that hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Bool, Float

from glossator.probes.false_discovery import CoinTest, adjusted_p, after_looks, detection_shares

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


def _p(test: CoinTest, reading: _Reading, reached: float = 0.5) -> float:
    found = detection_shares(reading.documents, reading.fires, reading.said)
    assert found is not None
    return test.p_value(found, reached)


def _naive_p(test: CoinTest, reading: _Reading) -> float:
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
    """200 runs of 30 labels, 24 of them no better than others': p, p by windows, which are null."""
    rng, test = np.random.default_rng(20), CoinTest(seed=1)
    null = np.arange(30) < 24
    by_document, by_window = np.empty((200, 30)), np.empty((200, 30))
    for run in range(200):
        for label in range(30):
            reading = _reading(rng, 0.5 if null[label] else 0.85, alike=1.0)
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
    rng, test = np.random.default_rng(3), CoinTest(seed=2)
    readings = [_reading(rng, 0.65) for _ in range(400)]
    against_coin = np.array([_p(test, r, 0.5) for r in readings])
    against_others = np.array([_p(test, r, 0.65) for r in readings])
    assert float((against_coin <= 0.05).mean()) > 0.4
    assert float((against_others <= 0.05).mean()) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def _unequal(rng: np.random.Generator, rates: tuple[float, float]) -> _Reading:
    """40 documents of 1 to 12 windows, most short; one in four holds silent windows; each is answered all
    rightly or all wrongly, firing and silent ones with the two `rates`."""
    sizes = np.minimum(rng.geometric(0.4, 40), 12)
    number = np.repeat(np.arange(40), sizes)
    fires = number % 4 > 0
    right = rng.random(40)[number] < np.where(fires, *rates)
    return _Reading([f"d{i}" for i in number], fires, np.where(right, fires, ~fires))


@pytest.mark.parametrize(
    "rates", [(0.5, 0.5), (0.7, 0.7), (0.75, 0.65), (0.8, 0.8), (0.89, 0.71), (0.71, 0.89), (0.97, 0.83)]
)
def test_the_level_is_kept_whatever_others_reach_and_however_long_documents_are(
    rates: tuple[float, float],
) -> None:
    """Labels that are as good as others; a test that flips signs finds up to 0.3 of them at 0.05."""
    rng, test = np.random.default_rng(11), CoinTest(seed=12)
    p = np.array([_p(test, _unequal(rng, rates), sum(rates) / 2) for _ in range(1500)])
    for level in (0.05, 0.001):
        error = float(np.sqrt(level * (1 - level) / len(p)))
        assert float((p <= level).mean()) <= level + 3 * error


@pytest.mark.parametrize(
    ("reached", "rate", "found"), [(0.5, 0.75, 0.65), (0.6, 0.85, 0.7), (0.8, 0.97, 0.6)]
)
def test_better_labels_are_found_whatever_others_reach(reached: float, rate: float, found: float) -> None:
    rng, test = np.random.default_rng(13), CoinTest(seed=14)
    p = np.array([_p(test, _unequal(rng, (rate, rate)), reached) for _ in range(300)])
    assert float((p <= 0.05).mean()) > found


def test_stopping_when_it_looks_best_is_paid_for() -> None:
    """Null labels, read in nine stages and stopped at the stage with the smallest p: the worst rule."""
    rng, test, ends = np.random.default_rng(8), CoinTest(seed=9), range(10, 51, 5)
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


def test_shares_belong_to_documents_and_weigh_both_kinds_alike() -> None:
    fires = np.array([True, True, True, False, False])
    said = np.array([True, True, False, False, True])
    found = detection_shares(["a", "a", "b", "b", "c"], fires, said)
    assert found is not None
    assert found.firing.tolist() == pytest.approx([1 / 3, 1 / 6, 0])
    assert found.silent.tolist() == pytest.approx([0, 1 / 4, 1 / 4])
    assert found.value == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_no_shares_where_one_kind_of_window_is_missing() -> None:
    fires = np.array([True, True])
    assert detection_shares(["a", "b"], fires, fires) is None


def _all_right(documents: int) -> _Reading:
    """One window a document, every second one firing, all answered rightly."""
    fires = np.arange(documents) % 2 == 0
    return _Reading([f"d{i}" for i in range(documents)], fires, fires)


@pytest.mark.parametrize("reached", [0.5, 0.8])
def test_a_perfect_label_on_few_documents_has_the_exact_p(reached: float) -> None:
    p = _p(CoinTest(seed=4), _all_right(4), reached)
    assert p == pytest.approx(reached**4, abs=0.03)


@pytest.mark.parametrize("reached", [0.5, 0.8])
def test_beyond_the_draws_p_follows_a_bound_that_is_never_too_small(reached: float) -> None:
    p = _p(CoinTest(seed=4), _all_right(60), reached)
    assert reached**60 <= p < 1.1 * reached**60


def test_what_is_not_above_has_p_1() -> None:
    test, reading = CoinTest(seed=5), _all_right(4)
    half = _Reading(reading.documents, reading.fires, np.array([True, False, False, True]))
    assert _p(test, half, 0.5) == 1.0
    assert _p(test, half, 0.6) == 1.0


def test_the_same_seed_gives_the_same_p() -> None:
    reading = _reading(np.random.default_rng(6), 0.6)
    assert _p(CoinTest(seed=7), reading) == _p(CoinTest(seed=7), reading)


def test_adjusted_p_is_that_of_the_paper() -> None:
    p = np.array([0.04, 0.001, 0.02])
    assert adjusted_p(p, 3).tolist() == pytest.approx([0.04, 0.003, 0.03])


def test_labels_that_were_tested_and_not_accepted_count() -> None:
    p = np.array([0.01, 0.02])
    assert (adjusted_p(p, 2) <= Q).all()
    assert not (adjusted_p(p, 20) <= Q).any()
    with pytest.raises(ValueError, match="cannot hold"):
        adjusted_p(p, 1)
