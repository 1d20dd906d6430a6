"""Whether steered continuations of sealed prompts carry an explanation, more than clean ones do and more
than under random directions of equal norm.

Delphi's intervention score asks a language model how likely the explanation is after the steered text, and
tunes and reports on the same prompts (https://arxiv.org/abs/2410.13928, section 5). Here the explanation's
own predicate is the reader, continuations share their random numbers with the clean ones, strengths come
from `validate`, and four baselines stand beside the value:

    random_direction  this explanation, random directions of the same norm (lenient: any other claim would do)
    random_explained  random directions, each with the explanation that its own effects give it (strict)
    shuffled          explanations of other features, on this feature's steered texts
    empty             no explanation: carried by nothing, so 0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.random_effects import ExplainedDirections, explained_random
from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.interventions.gains import Gain, Resampling
from glossator.agents.scorers.interventions.intervention_evidence import intervention_evidence
from glossator.agents.scorers.interventions.score_records import gain_score, unmeasured
from glossator.agents.scorers.interventions.scored_levels import LevelMeasuring, MissingLevel, ScoredLevel
from glossator.probes.interventions.steering_prompts import SteeringPrompt, draw_prompts
from glossator.records import (
    BaselineName,
    Evidence,
    Explanation,
    Interval,
    InterventionScore,
    KlTarget,
    StrengthCalibration,
)

MOST_OTHERS = 8
"""Explanations of other features behind the shuffled baseline."""
READER = "predicate"
NOT_REACHED = "KL target not reached"
NO_PREDICATE = "no predicate"


class ScoredInterventions(NamedTuple):
    """One explanation, at every KL level."""

    scores: tuple[InterventionScore, ...]
    evidence: tuple[Evidence, ...]


def intervention_scores(
    bench: CausalBench,
    explanation: Explanation,
    calibration: StrengthCalibration,
    others: Sequence[Explanation] = (),
    *,
    null: ExplainedDirections | None = None,
) -> ScoredInterventions:
    """One score per KL target of `calibration`, with the evidence that they cite.

    Args:
        bench: the run.
        explanation: what the effect is said to be; without a predicate nothing can be scored.
        calibration: strengths, tuned on `validate`; of the direction that the explanation is about.
        others: explanations of other features' effects, for the shuffled baseline.
        null: random directions with their concepts, where they are known; otherwise they are measured.

    Raises:
        UserError: the feature never fires on `explore`.
        ProbeError: too few sealed prompts.
    """
    feature = explanation.feature.index
    prompts = sealed_prompts(bench, feature)
    targets = [unscorable(explanation, target) or target for target in calibration.targets]
    if all(isinstance(target, MissingLevel) for target in targets):
        levels = tuple(target for target in targets if isinstance(target, MissingLevel))
        return _scored(bench, explanation, prompts, levels, ())
    null = explained_random(bench, feature, calibration) if null is None else null
    donors = donors_of(explanation, others)
    measuring = LevelMeasuring.of(bench, explanation, prompts, donors, null)
    levels = tuple(t if isinstance(t, MissingLevel) else measuring.level(t) for t in targets)
    return _scored(bench, explanation, prompts, levels, donors)


def sealed_prompts(bench: CausalBench, feature: int) -> tuple[SteeringPrompt, ...]:
    """The prompts on which effects are reported: other openers and documents than those of `validate`."""
    return draw_prompts(
        bench.room.sealed,
        bench.runs,
        feature,
        per_family=bench.settings.per_family,
        tokens=bench.settings.prompt_tokens,
        seed=bench.settings.seed,
        max_activation=bench.steered(feature).max_activation,
    )


def unscorable(explanation: Explanation, target: KlTarget) -> MissingLevel | None:
    """Why nothing can be scored at a strength; None where it can."""
    if explanation.predicate is None:
        return MissingLevel(target, NO_PREDICATE)
    return unreached(target)


def unreached(target: KlTarget) -> MissingLevel | None:
    """Why a level has no strength; None where it has."""
    return None if target.reached else MissingLevel(target, f"{NOT_REACHED}: {target.reason}")


def donors_of(explanation: Explanation, others: Sequence[Explanation]) -> tuple[Explanation, ...]:
    """Explanations of other features; which ones depends on their ids alone."""
    fit = [o for o in others if o.predicate is not None and o.feature != explanation.feature]
    return tuple(sorted(fit, key=lambda o: o.id)[:MOST_OTHERS])


def _scored(
    bench: CausalBench,
    explanation: Explanation,
    prompts: Sequence[SteeringPrompt],
    levels: Sequence[ScoredLevel | MissingLevel],
    donors: Sequence[Explanation],
) -> ScoredInterventions:
    evidence = intervention_evidence(bench, explanation, prompts, levels, donors)
    seed = seed_of(explanation.feature, f"intervention intervals {bench.settings.seed}")
    resampling = Resampling(tuple(prompt.document for prompt in prompts), seed)
    scores = tuple(
        unmeasured(explanation, level, len(prompts), reader=READER, evidence=evidence.id)
        if isinstance(level, MissingLevel)
        else _measured(explanation, level, resampling, evidence.id)
        for level in levels
    )
    return ScoredInterventions(scores, (evidence,))


def _measured(
    explanation: Explanation, level: ScoredLevel, resampling: Resampling, evidence: str
) -> InterventionScore:
    gain, n = resampling.gain(level.own), len(level.own)
    excess = resampling.excess(level.own, level.random_explained)
    baselines = (
        (BaselineName.RANDOM_DIRECTION, resampling.replicated(level.random_own)),
        (BaselineName.RANDOM_EXPLAINED, resampling.replicated(level.random_explained)),
        (BaselineName.SHUFFLED, resampling.replicated(level.shuffled)),
        (BaselineName.EMPTY, Gain(0.0, Interval(low=0.0, high=0.0, method="exact: carried by nothing"))),
    )
    return InterventionScore(
        explanation=explanation.id,
        target_kl=level.target.target,
        kl=level.kl,
        multiple=level.target.multiple,
        score=gain_score(gain, n, baselines, reader=READER, evidence=evidence),
        excess=None if excess is None else excess.value,
        excess_interval=None if excess is None else excess.interval,
        perplexity_clean=level.perplexity_clean,
        perplexity_steered=level.perplexity_steered,
        perplexity_random=level.perplexity_random,
    )
