from __future__ import annotations

import pytest

from benchmarks.delphi_scoring import load_scoring, peer_answer
from benchmarks.label_trial_table import (
    LabelRow,
    TrialFeature,
    by_method,
    difference,
    estimate,
    keys_of,
    markdown,
)
from benchmarks.planted_words import Reader
from benchmarks.scoring import Sizes, measure
from glossator.records import FeatureRef, Interval, LlmSpending, Metric, Negatives, Score, ScoreMethod, Split

TINY = Sizes(features=3, timed=2, runs=1, characters=400_000, n_train=6, n_test=6)


def test_a_tiny_run_gives_every_key() -> None:
    peer = load_scoring()
    rows, keys = measure(TINY, peer=peer)
    assert len(rows) >= 6
    calls, slots = keys["calls_per_feature"], keys["slot_ceiling_share_32"]
    assert isinstance(calls, float | int)
    assert 3 <= calls <= 41
    assert isinstance(slots, float)
    assert slots > 0
    for name in ("prompts_per_s_ratio_to_delphi", "tokens_ratio_to_delphi"):
        assert (keys[name] is not None) is peer
    assert keys["prompts_per_s_ours"]


def test_the_reader_goes_by_the_word_and_is_wrong_as_often_as_it_should_be() -> None:
    right, noisy = Reader(["water"], 0.0), Reader(["water"], 0.1)
    claim = 'the word "water"'
    assert right.fires(claim, "some water here")
    assert not right.fires(claim, "some waters here")
    assert right.fires(claim, "some<< water>> here")
    assert not right.fires(claim, "<<some>> water here")
    texts = [f"text {i} of water" for i in range(2000)]
    assert 0.07 < sum(not noisy.fires(claim, t) for t in texts) / len(texts) < 0.13


def test_the_peer_is_answered_window_by_window() -> None:
    claim = 'Latent explanation: the word "water"'
    asked = f"{claim}\n\nText examples:\n\nExample 0: a water\nline\nExample 1: none\n"
    assert peer_answer(Reader(["water"], 0.0), [{"content": asked}]) == "[1, 0]"
    shown = "the << water>> is\nActivations: "
    assert peer_answer(Reader(["water"], 0.0), [{"content": shown}]) == '[EXPLANATION]: the word "water"'


def score(value: float, negatives: Negatives, metric: Metric = Metric.BALANCED_ACCURACY) -> Score:
    return Score(
        method=ScoreMethod.DETECTION, metric=metric, reader="m", negatives=negatives, split=Split.SEALED,
        threshold=0.3, value=value, interval=Interval(low=0, high=1, method="-"), n_positive=1, n_negative=1,
    )  # fmt: skip


def trial_feature(number: int, values: dict[str, float], chosen: str) -> TrialFeature:
    rows = [
        LabelRow(
            method=name, text=name, chosen=name == chosen, validate_value=None, reading=LlmSpending(calls=2),
            scores=(score(value - 0.1, Negatives.RANDOM), score(value + 0.1, Negatives.HARD)),
        )
        for name, value in values.items()
    ]  # fmt: skip
    ref = FeatureRef(subject="s", dictionary="d", index=number)
    return TrialFeature(feature=ref, labels=tuple(rows), rejected={}, explaining=LlmSpending(), seconds=1)


def test_trial_tables_pair_by_feature_and_weigh_negatives_alike() -> None:
    features = [
        trial_feature(0, {"embedded": 0.5, "one_shot": 0.75}, "one_shot"),
        trial_feature(1, {"embedded": 0.75, "one_shot": 0.5}, "embedded"),
        trial_feature(2, {"embedded": 0.5}, "embedded"),
    ]
    table = by_method(features, "detection")
    assert table["one_shot"] == [pytest.approx(0.75), pytest.approx(0.5), None]
    assert table["chosen"] == [pytest.approx(0.75), pytest.approx(0.75), pytest.approx(0.5)]
    paired = difference(table["one_shot"], table["embedded"])
    assert paired is not None
    assert (paired.n, paired.value) == (2, pytest.approx(0.0))
    assert (paired.low, paired.high) == (pytest.approx(-0.25), pytest.approx(0.25))
    assert estimate([None]) is None
    keys = keys_of(features)
    assert keys["one_shot_fuzzing"] is None
    assert keys["one_shot_detection_minus_analyst"] == {"value": 0.0, "low": -0.25, "high": 0.25, "n": 2}
    assert "| one-shot | 2 | 0.625 [0.500, 0.750] | – |" in markdown(features)
