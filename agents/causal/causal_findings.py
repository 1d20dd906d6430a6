"""Everything causal about one feature, in order: strengths, effects, explanation, scores, role.

Strengths and effects are measured on `validate`, where the explanation of the effect is written too; its
scores come from `sealed`. What cannot be done is a note, not an error: the other features of a run go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

import glossator
from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.effect_explanation import effect_explanation
from glossator.agents.causal.effects import effects_evidence, effects_with_null
from glossator.agents.causal.promoted_explanation import promoted_explanation
from glossator.agents.causal.random_effects import ExplainedDirections
from glossator.agents.causal.role import feature_role
from glossator.agents.scorers.interventions.intervention_scores import (
    ScoredInterventions,
    intervention_scores,
)
from glossator.agents.scorers.interventions.sealed_strengths import reported_on_sealed
from glossator.probes.interventions.steering_prompts import draw_prompts
from glossator.probes.interventions.strength_search import calibrate
from glossator.probes.token_effects import TokenEffects
from glossator.records import (
    CausalFindings,
    EffectFindings,
    Evidence,
    EvidenceKind,
    Explanation,
    InterventionScore,
    Score,
    StrengthCalibration,
)

PANEL = 8
"""Features whose promoted tokens make the shuffled baseline."""


NO_LABEL = "its role is open, because it has no label yet: glossator label says when it fires"


class MeasuredCauses(NamedTuple):
    """What is measured of a feature before anyone explains it."""

    feature: int
    up: StrengthCalibration
    down: StrengthCalibration
    effects: EffectFindings
    null: ExplainedDirections
    """Random directions of the same norm, explained in the same way."""


class CausalMeasurement(NamedTuple):
    """One finished feature, and the evidence: the findings themselves, then what is behind their scores."""

    findings: CausalFindings
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Causes:
    """Measures what features cause. Not for several threads at once."""

    bench: CausalBench
    promoted: Callable[[int], TokenEffects]
    """Output tokens that a feature's direction raises and lowers through the unembedding."""
    live: Sequence[int] = field(default=(), repr=False)
    """Features that fire; some of them stand in for other features in the shuffled baseline."""

    @cached_property
    def _others(self) -> tuple[Explanation, ...]:
        """Explanations of other features, from their promoted tokens: the same whatever a run does."""
        rng = np.random.default_rng(self.bench.settings.seed)
        drawn = rng.permutation(np.asarray(self.live, np.int64))[: PANEL + 1]
        made = (promoted_explanation(self.bench.ref(int(i)), self.promoted(int(i))) for i in drawn)
        return tuple(e for e in made if e is not None)

    def others(self, feature: int) -> tuple[Explanation, ...]:
        """Explanations of other features' effects, for the shuffled baseline."""
        return tuple(e for e in self._others if e.feature.index != feature)[:PANEL]

    def measure(self, feature: int) -> MeasuredCauses:
        """Strengths of both signs, and effects, on `validate`.

        Raises:
            UserError: the feature never fires, or does not exist.
            ProbeError: the subject gives no finite numbers, or there are too few prompts.
        """
        bench, settings = self.bench, self.bench.settings
        steered = bench.steered(feature)
        drawn = draw_prompts(
            bench.room.validate, bench.runs, feature,
            per_family=settings.per_family, tokens=settings.prompt_tokens, seed=settings.seed,
            max_activation=steered.max_activation,
        )  # fmt: skip
        prompts = [p.ids for p in drawn]
        up, down = (
            calibrate(bench.runs, prompts, steered, targets=settings.targets, sign=sign) for sign in (1, -1)
        )
        effects = effects_with_null(bench, feature, up, down)
        return MeasuredCauses(feature, up, down, effects.findings, effects.null)

    def explain(self, measured: MeasuredCauses) -> Explanation | None:
        """The embedded analyst's explanation of the effect; None where no token rises in most prompts."""
        return effect_explanation(self.bench, measured.effects)

    def finish(
        self,
        measured: MeasuredCauses,
        explanation: Explanation | None,
        *,
        label_scores: Sequence[Score] | None = None,
        reader: str | None = None,
        read: ScoredInterventions | None = None,
        notes: Sequence[str] = (),
    ) -> CausalMeasurement:
        """Score `explanation` on `sealed`, and decide the feature's role.

        Args:
            measured: what `measure` gave.
            explanation: of the effect; None where there is none.
            label_scores: scores of the feature's input-side label, which decide that side of its role;
                none where no label could be tested, None where none was tried: then the role stays open.
            reader: who decides the verdict on that label; None for the embedded readers.
            read: scores of the same explanation by an LLM that reads.
            notes: what could not be done so far.
        """
        scores: tuple[InterventionScore, ...] = ()
        evidence: tuple[Evidence, ...] = ()
        if explanation is not None:
            others = self.others(measured.feature)
            scored = intervention_scores(self.bench, explanation, measured.up, others, null=measured.null)
            scores, evidence = scored
            if read is not None:
                scores, evidence = (*scores, *read.scores), (*evidence, *read.evidence)
        findings = CausalFindings(
            up=reported_on_sealed(self.bench, measured.up),
            down=reported_on_sealed(self.bench, measured.down),
            effects=measured.effects,
            explanation=explanation,
            scores=scores,
            role=None
            if label_scores is None
            else feature_role(label_scores, scores, measured.effects, reader=reader),
            notes=(*notes, *([NO_LABEL] if label_scores is None else []), *_unreached(measured)),
        )
        own = Evidence.of(
            self.bench.ref(measured.feature),
            EvidenceKind.CAUSES,
            self.recipe,
            findings.model_dump(mode="json"),
        )
        return CausalMeasurement(findings, (own, effects_evidence(self.bench, measured.effects), *evidence))

    @property
    def recipe(self) -> dict[str, object]:
        """What to do to measure it again, the feature apart."""
        settings = asdict(self.bench.settings)
        return {
            "measured": "causes",
            "index": self.bench.room.index_identity,
            "site": str(self.bench.dictionary.output_site),
            "settings": settings | {"targets": list(settings["targets"])},
            "dtype": str(self.bench.runs.subject.dtype).removeprefix("torch."),
            "code": glossator.__version__,
        }


def _unreached(measured: MeasuredCauses) -> tuple[str, ...]:
    return tuple(
        f"KL {t.target:g} turned {'up' if c.sign > 0 else 'down'} was not reached ({t.kl:.3g} at "
        f"{t.multiple:.3g} times the maximum): {t.reason}"
        for c in (measured.up, measured.down)
        for t in c.targets
        if not t.reached
    )
