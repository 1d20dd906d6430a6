"""The same question put to an LLM that does not know which continuations were steered.

Clean, steered and random continuations of the same prompts are shuffled into one list and read with the
claim alone. Only what the subject wrote is shown, never a sealed prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.effect_explanation import claim_of
from glossator.agents.causal.random_effects import explained_target, random_units, steering_vector
from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.interventions.gains import Gain, Resampling
from glossator.agents.scorers.interventions.intervention_evidence import intervention_recipe
from glossator.agents.scorers.interventions.intervention_scores import (
    ScoredInterventions,
    donors_of,
    sealed_prompts,
    unreached,
)
from glossator.agents.scorers.interventions.score_records import gain_score, unmeasured
from glossator.agents.scorers.interventions.scored_levels import NOT_FINITE, MissingLevel
from glossator.agents.scorers.interventions.steered_texts import SteeredTexts
from glossator.agents.window_reading.reader import LlmReader
from glossator.errors import ProbeError
from glossator.probes.interventions.steering_prompts import SteeringPrompt
from glossator.probes.interventions.strength_search import kl_at
from glossator.records import (
    BaselineName,
    Evidence,
    EvidenceKind,
    Explanation,
    InterventionScore,
    KlTarget,
    PromptRef,
    StrengthCalibration,
)

READ_PROMPTS = 10
"""Prompts per level; each is read three times: clean, steered, and under a random direction."""
_CLEAN, _STEERED, _RANDOM = range(3)


class _Written(NamedTuple):
    """Continuations of the prompts that are read, by condition."""

    shown: tuple[tuple[str, ...], ...]
    kl: float
    perplexity: tuple[float | None, ...]


class _Blind(NamedTuple):
    """Answers by condition and prompt: 1 fits, 0 does not, NaN without an answer."""

    fits: Float[np.ndarray, "conditions prompts"]
    unscored: Counter[str]
    prompt: PromptRef


async def read_intervention_scores(
    bench: CausalBench,
    explanation: Explanation,
    calibration: StrengthCalibration,
    reader: LlmReader,
    others: Sequence[Explanation] = (),
    *,
    levels: Sequence[float] | None = None,
) -> ScoredInterventions:
    """One score per KL level; by default of the one at which effects are explained.

    The shuffled baseline reads one other explanation on the same texts, where there is one. There is no
    excess: random directions would have to be explained and read one by one.

    Raises:
        UserError: the feature never fires on `explore`.
        ProbeError: too few sealed prompts.
        BudgetSpent: no call is left.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer.
    """
    drawn = sealed_prompts(bench, explanation.feature.index)
    chosen = np.unique(np.linspace(0, len(drawn) - 1, min(READ_PROMPTS, len(drawn))).round().astype(int))
    prompts = tuple(drawn[i] for i in chosen.tolist())
    level = _LevelReading(bench, explanation, reader, prompts, donors_of(explanation, others)[:1])
    found = [await level.read(target) for target in _targets(bench, calibration, levels)]
    return ScoredInterventions(tuple(f.score for f in found), tuple(f.evidence for f in found))


def _targets(
    bench: CausalBench, calibration: StrengthCalibration, levels: Sequence[float] | None
) -> tuple[KlTarget, ...]:
    if levels is None:
        return (explained_target(calibration, bench.settings.explained_at),)
    return tuple(t for t in calibration.targets if t.target in levels)


class _Read(NamedTuple):
    score: InterventionScore
    evidence: Evidence


@dataclass(frozen=True)
class _LevelReading:
    """What all levels of one explanation share."""

    bench: CausalBench
    explanation: Explanation
    reader: LlmReader
    prompts: tuple[SteeringPrompt, ...]
    donors: tuple[Explanation, ...]

    async def read(self, target: KlTarget) -> _Read:
        """One level, or why there is none."""
        missing = unreached(target)
        written = None if missing else self._written(target)
        if written is None:
            missing = missing or MissingLevel(target, NOT_FINITE)
            evidence = self._evidence(target, {"missing": missing.reason})
            score = unmeasured(
                self.explanation, missing, len(self.prompts), reader=self.reader.name, evidence=evidence.id
            )
            return _Read(score, evidence)
        own = await self._blind(self.explanation, written)
        shuffled = [await self._blind(donor, written) for donor in self.donors]
        evidence = self._evidence(target, {"fits": _listed(own), "shuffled": [_listed(s) for s in shuffled]})
        return _Read(self._score(target, written, own, shuffled, evidence.id), evidence)

    def _written(self, target: KlTarget) -> _Written | None:
        """Continuations under each condition, each prompt with a random direction of its own; None where
        the subject gives no finite numbers."""
        bench, feature = self.bench, self.explanation.feature.index
        ids = tuple(prompt.ids for prompt in self.prompts)
        seed = seed_of(self.explanation.feature, f"read interventions {bench.settings.seed}")
        site = bench.dictionary.output_site
        texts = SteeredTexts(bench.runs, ids, site, bench.settings.continuation, seed)
        vector = steering_vector(bench, feature, target.multiple)
        random = random_units(bench, feature) * vector.norm()
        try:
            conditions = (
                texts.clean(1),
                texts.steered(vector, 1),
                texts.row_by_row(random[torch.arange(len(ids)) % len(random)]),
            )
        except ProbeError:
            return None
        kl = float(kl_at(bench.runs, ids, bench.steered(feature), [target.multiple]).mean())
        shown = tuple(condition.texts.shown() for condition in conditions)
        return _Written(shown, kl, tuple(texts.perplexity([condition]) for condition in conditions))

    async def _blind(self, claimed: Explanation, written: _Written) -> _Blind:
        """All texts in one shuffled list: neither place nor company tells which were steered."""
        flat = [text for row in written.shown for text in row]
        order = np.random.default_rng(seed_of(self.explanation.feature, "blind")).permutation(len(flat))
        readings = await self.reader.detect(claim_of(claimed), [flat[i] for i in order.tolist()])
        fits = np.full(len(flat), np.nan)
        fits[order] = np.where(readings.fires >= 0, readings.fires, np.nan)
        unscored = Counter(str(reason) for reason in readings.reasons if reason is not None)
        return _Blind(fits.reshape(len(written.shown), -1), unscored, readings.prompt)

    def _score(
        self,
        target: KlTarget,
        written: _Written,
        own: _Blind,
        shuffled: Sequence[_Blind],
        evidence: str,
    ) -> InterventionScore:
        gain = self._gain(own, _STEERED)
        baselines = [(BaselineName.RANDOM_DIRECTION, self._gain(own, _RANDOM))]
        baselines += [(BaselineName.SHUFFLED, self._gain(each, _STEERED)) for each in shuffled]
        score = gain_score(
            gain,
            int(np.isfinite(own.fits[[_CLEAN, _STEERED]]).all(axis=0).sum()),
            baselines,
            reader=self.reader.name,
            evidence=evidence,
            unscored=own.unscored,
            prompt=own.prompt,
            windows_per_prompt=self.reader.windows_per_prompt,
        )
        clean, steered, random = written.perplexity
        return InterventionScore(
            explanation=self.explanation.id,
            target_kl=target.target,
            kl=written.kl,
            multiple=target.multiple,
            score=score,
            excess=None,
            excess_interval=None,
            perplexity_clean=clean,
            perplexity_steered=steered,
            perplexity_random=random,
        )

    def _gain(self, read: _Blind, condition: int) -> Gain | None:
        """Over the prompts with an answer to both continuations; None without any."""
        difference = read.fits[condition] - read.fits[_CLEAN]
        kept = np.isfinite(difference)
        if not kept.any():
            return None
        documents = tuple(p.document for p, keep in zip(self.prompts, kept.tolist(), strict=True) if keep)
        return Resampling(documents, seed_of(self.explanation.feature, "read intervals")).gain(
            difference[kept]
        )

    def _evidence(self, target: KlTarget, payload: dict[str, object]) -> Evidence:
        recipe = intervention_recipe(self.bench, self.explanation) | {
            "method": "read intervention",
            "reader": self.reader.name,
            "windows_per_prompt": self.reader.windows_per_prompt,
            "donors": [donor.id for donor in self.donors],
            "target": target.target,
            "multiple": target.multiple,
        }
        shared: dict[str, object] = {"documents": [prompt.document for prompt in self.prompts]}
        return Evidence.of(self.explanation.feature, EvidenceKind.SCORE, recipe, shared | payload)


def _listed(read: _Blind) -> object:
    """Clean, steered, random: 1, 0, or -1 without an answer, by prompt."""
    return np.nan_to_num(read.fits, nan=-1.0).astype(int).tolist()
