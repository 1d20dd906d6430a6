from __future__ import annotations

import pytest

from glossator.agents.causal.role import feature_role
from glossator.records import (
    Baseline,
    BaselineName,
    EffectFindings,
    FeatureRef,
    FeatureRole,
    Interval,
    InterventionScore,
    Metric,
    Negatives,
    RoleFinding,
    Score,
    ScoreMethod,
    Split,
)

FEATURE = FeatureRef(subject="s", dictionary="d", index=7)


def between(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, method="test")


def detection(
    value: float | None, low: float = 0.0, reader: str = "predicate", negatives: Negatives = Negatives.RANDOM
) -> Score:
    return Score(
        method=ScoreMethod.DETECTION,
        metric=Metric.BALANCED_ACCURACY,
        reader=reader,
        negatives=negatives,
        split=Split.SEALED,
        threshold=0.3,
        value=value,
        interval=None if value is None else between(low, 1.0),
        n_positive=50,
        n_negative=50,
        unscored={} if value is not None else {"no predicate": 100},
    )


def effects(*concept: str) -> EffectFindings:
    return EffectFindings(
        feature=FEATURE,
        multiple=1.0,
        kl=1.0,
        n_prompts=24,
        split=Split.SEALED,
        raised=(),
        lowered=(),
        concept=concept,
        dose=(),
    )


def intervention(
    excess: float | None,
    low: float = 0.0,
    *,
    target: float = 1.0,
    value: tuple[float, float] = (0.6, 0.4),
    random: float | None = 0.05,
    shuffled: float | None = 0.02,
) -> InterventionScore:
    named = {BaselineName.RANDOM_DIRECTION: random, BaselineName.SHUFFLED: shuffled}
    return InterventionScore(
        explanation="x-1",
        target_kl=target,
        kl=target,
        multiple=0.8,
        score=Score(
            method=ScoreMethod.INTERVENTION,
            metric=Metric.GAIN,
            reader="predicate",
            negatives=Negatives.CLEAN,
            split=Split.SEALED,
            threshold=0.0,
            value=value[0],
            interval=between(value[1], 0.9),
            n_positive=24,
            n_negative=24,
            baselines=tuple(
                Baseline(name=n, value=v, interval=None if v is None else between(v - 0.1, v + 0.1))
                for n, v in named.items()
            ),
        ),
        excess=excess,
        excess_interval=None if excess is None else between(low, 0.9),
        perplexity_clean=10.0,
        perplexity_steered=20.0,
        perplexity_random=15.0,
    )


FIRES, SILENT = [detection(0.92, 0.85)], [detection(0.55, 0.45)]
CAUSES, IDLE = [intervention(0.5, 0.3)], [intervention(0.03, -0.1)]


@pytest.mark.parametrize(
    ("scores", "interventions", "role"),
    [
        (FIRES, IDLE, FeatureRole.INPUT),
        (SILENT, CAUSES, FeatureRole.OUTPUT),
        (FIRES, CAUSES, FeatureRole.BOTH),
        (SILENT, IDLE, FeatureRole.NEITHER),
        (FIRES, [], FeatureRole.INPUT),
        ([], CAUSES, FeatureRole.OUTPUT),
        ([], [], FeatureRole.NEITHER),
    ],
)
def test_each_role(scores: list[Score], interventions: list[InterventionScore], role: FeatureRole) -> None:
    found = feature_role(scores, interventions, effects(" sea"))
    assert found.role is role
    assert found.reason.startswith(f"{role}: ")


def test_the_reason_holds_the_numbers() -> None:
    found = feature_role(FIRES, CAUSES, effects(" sea"))
    assert (found.input_value, found.output_value) == (0.92, 0.5)
    for number in ("0.92 (0.85 to 1.00)", "+0.50 (+0.30 to +0.90)", "KL 1"):
        assert number in found.reason


@pytest.mark.parametrize(("value", "low"), [(0.74, 0.7), (0.9, 0.55)])
def test_detection_has_to_be_high_and_sure(value: float, low: float) -> None:
    assert feature_role([detection(value, low)]).role is FeatureRole.NEITHER


@pytest.mark.parametrize(("f1", "role"), [(0.39, FeatureRole.NEITHER), (0.41, FeatureRole.INPUT)])
def test_a_predicate_that_holds_far_too_often_predicts_little(f1: float, role: FeatureRole) -> None:
    over_tokens = detection(f1, 0.3).model_copy(
        update={
            "method": ScoreMethod.PREDICATE,
            "metric": Metric.F1,
            "negatives": Negatives.ALL_TOKENS,
        }
    )
    found = feature_role([over_tokens, *FIRES])
    assert found.role is role
    assert f"F1 {f1:.2f}" in found.reason
    read = detection(0.9, 0.8, "embedder")
    assert feature_role([over_tokens, read], reader="embedder").role is FeatureRole.INPUT


def test_the_deciding_reader_decides() -> None:
    scores = [detection(0.9, 0.8, "predicate"), detection(0.5, 0.4, "gpt"), detection(0.6, 0.5, "embedder")]
    assert feature_role(scores).role is FeatureRole.INPUT
    assert feature_role(scores, reader="gpt").role is FeatureRole.NEITHER
    unread = [detection(None), detection(0.9, 0.8, "embedder")]
    assert feature_role(unread).input_value == 0.9
    assert "no predicate" in feature_role(unread, reader="predicate").reason
    hard = [detection(0.9, 0.8, negatives=Negatives.HARD)]
    assert feature_role(hard).input_value is None


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (intervention(0.3, -0.01), "not beyond random directions"),
        (intervention(0.5, 0.3, random=0.45), "the same explanation under random directions (0.45)"),
        (intervention(0.5, 0.3, shuffled=0.5), "explanations of other features (0.50)"),
        (intervention(0.5, 0.3, random=None), "were not measured"),
        (intervention(None), "could be scored"),
    ],
)
def test_an_effect_that_is_not_specific_is_none(score: InterventionScore, said: str) -> None:
    found = feature_role([], [score], effects(" sea"))
    assert found.role is FeatureRole.NEITHER
    assert said in found.reason


def test_no_rising_tokens_no_output_side() -> None:
    assert feature_role([], CAUSES, effects()).role is FeatureRole.NEITHER
    assert "was not measured" in feature_role([], CAUSES, None).reason
    alone = intervention(0.5, 0.3, shuffled=None)
    assert feature_role([], [alone], effects(" sea")).role is FeatureRole.OUTPUT


def test_the_level_nearest_one_decides() -> None:
    """The level that was reached, not the one that was asked for."""
    unreached = intervention(0.5, 0.3).model_copy(update={"kl": 0.01})
    near = intervention(0.4, 0.2, target=0.33)
    assert feature_role([], [unreached, near], effects(" sea")).output_value == 0.4
    strong, weak = intervention(0.5, 0.3, target=3.0), intervention(0.01, -0.1, target=0.1)
    assert feature_role([], [weak, strong, IDLE[0]], effects(" sea")).role is FeatureRole.NEITHER
    assert feature_role([], [weak, strong, CAUSES[0]], effects(" sea")).role is FeatureRole.OUTPUT
    assert feature_role([], [weak, strong], effects(" sea")).output_value == 0.5


def test_a_finding_survives_json() -> None:
    found = feature_role(FIRES, CAUSES, effects(" sea"))
    assert RoleFinding.model_validate_json(found.model_dump_json()) == found
