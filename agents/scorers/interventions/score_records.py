"""Intervention scores as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glossator.agents.scorers.interventions.gains import Gain
from glossator.agents.scorers.interventions.scored_levels import MissingLevel
from glossator.records import (
    Baseline,
    BaselineName,
    Explanation,
    InterventionScore,
    Metric,
    Negatives,
    PromptRef,
    Score,
    ScoreMethod,
    Split,
)


def gain_score(
    gain: Gain | None,
    n: int,
    baselines: Sequence[tuple[BaselineName, Gain | None]],
    *,
    reader: str,
    evidence: str,
    unscored: Mapping[str, int] | None = None,
    prompt: PromptRef | None = None,
    windows_per_prompt: int | None = None,
) -> Score:
    """Share of continuations that carry an explanation, steered minus clean, on `n` sealed prompts."""
    return Score(
        method=ScoreMethod.INTERVENTION,
        metric=Metric.GAIN,
        reader=reader,
        negatives=Negatives.CLEAN,
        split=Split.SEALED,
        threshold=0.0,
        value=gain and gain.value,
        interval=gain and gain.interval,
        n_positive=n if gain else 0,
        n_negative=n if gain else 0,
        unscored=dict(unscored or {}),
        baselines=tuple(
            Baseline(
                name=name,
                value=b and b.value,
                interval=b and b.interval,
                n_positive=b and b.n,
                n_negative=b and b.n,
            )
            for name, b in baselines
        ),
        evidence=evidence,
        prompt=prompt,
        windows_per_prompt=windows_per_prompt,
    )


def unmeasured(
    explanation: Explanation, level: MissingLevel, n: int, *, reader: str, evidence: str
) -> InterventionScore:
    """A level without a score, with the reason."""
    return InterventionScore(
        explanation=explanation.id,
        target_kl=level.target.target,
        kl=level.target.kl,
        multiple=level.target.multiple,
        score=gain_score(None, 0, (), reader=reader, evidence=evidence, unscored={level.reason: n}),
        excess=None,
        excess_interval=None,
        perplexity_clean=None,
        perplexity_steered=None,
        perplexity_random=None,
    )
