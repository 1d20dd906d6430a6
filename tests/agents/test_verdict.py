from __future__ import annotations

import pytest

from glossator.agents.firing_facts import FiringFacts
from glossator.agents.verdict import decide, unfit_to_explain
from glossator.records import (
    Baseline,
    BaselineName,
    Explanation,
    FeatureRef,
    Interval,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Split,
    TokenIn,
    VerdictKind,
)

FEATURE = FeatureRef(subject="s", dictionary="d", index=1)
PREDICATE = Explanation.of(FEATURE, "a", "the token Miss", TokenIn(tokens=(" Miss",)))
TEXT = Explanation.of(FEATURE, "a", "polite address", None)
FACTS = FiringFacts(n_explore=500, n_sealed=150, density=0.01)


def interval(value: float, half: float) -> Interval:
    return Interval(low=value - half, high=value + half, method="test")


def detection(
    value: float | None,
    half: float = 0.05,
    shuffled: float = 0.52,
    reader: str = "predicate",
    negatives: Negatives = Negatives.RANDOM,
) -> Score:
    baseline = Baseline(name=BaselineName.SHUFFLED, value=shuffled, interval=interval(shuffled, 0.05))
    return Score(
        method=ScoreMethod.DETECTION,
        metric=Metric.BALANCED_ACCURACY,
        reader=reader,
        negatives=negatives,
        split=Split.SEALED,
        threshold=0.3,
        value=value,
        interval=None if value is None else interval(value, half),
        n_positive=100,
        n_negative=100,
        unscored={} if value is not None else {"no window fires": 3},
        baselines=(baseline,),
    )


def f1(value: float) -> Score:
    return Score(
        method=ScoreMethod.PREDICATE,
        metric=Metric.F1,
        reader="predicate",
        negatives=Negatives.ALL_TOKENS,
        split=Split.SEALED,
        threshold=0.3,
        value=value,
        interval=interval(value, 0.04),
        n_positive=9,
        n_negative=9,
    )


@pytest.mark.parametrize(
    ("scores", "kind"),
    [
        ([detection(0.86), f1(0.6)], VerdictKind.ACCEPTED),
        ([detection(0.75, half=0.1), f1(0.4)], VerdictKind.ACCEPTED),
        ([detection(0.74), f1(0.6)], VerdictKind.TENTATIVE),
        ([detection(0.9), f1(0.39)], VerdictKind.TENTATIVE),
        ([detection(0.9)], VerdictKind.TENTATIVE),
        ([detection(0.9, shuffled=0.81), f1(0.9)], VerdictKind.ABSTAINED),
        ([detection(0.6, half=0.09), f1(0.9)], VerdictKind.ABSTAINED),
        ([detection(0.5), f1(0.01)], VerdictKind.ABSTAINED),
        ([detection(None), f1(0.9)], VerdictKind.ABSTAINED),
        ([], VerdictKind.ABSTAINED),
    ],
)
def test_the_rule(scores: list[Score], kind: VerdictKind) -> None:
    assert decide(FACTS, PREDICATE, scores).kind is kind


def test_the_reason_holds_the_numbers() -> None:
    verdict = decide(FACTS, PREDICATE, [detection(0.86), detection(0.61, negatives=Negatives.HARD), f1(0.31)])
    for number in (
        "0.86 (0.81 to 0.91)",
        "0.61 (0.56 to 0.66) with hard",
        "F1 0.31 (0.27 to 0.35)",
        "0.57",
        "0.4",
    ):
        assert number in verdict.reason
    assert decide(FACTS, PREDICATE, [detection(0.55)]).reason.startswith(
        "uninterpretable so far: detection 0.55"
    )
    assert "no window fires" in decide(FACTS, PREDICATE, [detection(None)]).reason


def test_the_reader_does_not_depend_on_who_reads_better() -> None:
    scores = [detection(0.6), detection(0.95, reader="embedder"), f1(0.9)]
    assert decide(FACTS, PREDICATE, scores).kind is VerdictKind.ABSTAINED
    assert decide(FACTS, TEXT, scores).kind is VerdictKind.ACCEPTED


def test_abstention_keeps_what_was_tried() -> None:
    none_found = decide(FACTS, None, [], ("a topic: law (F1 0.12)", "the token the (F1 0.08)"))
    assert none_found.kind is VerdictKind.ABSTAINED
    assert none_found.reason.startswith("uninterpretable so far")
    assert none_found.tried == ("a topic: law (F1 0.12)", "the token the (F1 0.08)")
    assert decide(FACTS, PREDICATE, [detection(0.5)]).tried == ("the token Miss",)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (FiringFacts(0, 0, 0.0), "dead"),
        (FiringFacts(10**6, 10**5, 1.0), "always on"),
        (FiringFacts(19, 30, 0.001), "19 firings in the explore split"),
        (FiringFacts(40, 9, 0.001), "9 firings in the sealed split"),
    ],
)
def test_features_that_no_label_can_fit(facts: FiringFacts, word: str) -> None:
    assert word in (unfit_to_explain(facts) or "")
    verdict = decide(facts, PREDICATE, [detection(0.99), f1(0.99)])
    assert verdict.kind is VerdictKind.ABSTAINED
    assert word in verdict.reason


def test_the_least_that_is_enough() -> None:
    assert unfit_to_explain(FiringFacts(20, 10, 0.5)) is None
