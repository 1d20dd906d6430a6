"""What is measured at one strength: who carries what, prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.effect_explanation import written_otherwise
from glossator.agents.causal.random_effects import ExplainedDirections, steering_vector
from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.interventions.gains import columns
from glossator.agents.scorers.interventions.steered_texts import Continued, SteeredTexts
from glossator.errors import ProbeError
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.steering_prompts import SteeringPrompt
from glossator.probes.interventions.strength_search import next_token_kl
from glossator.records import Explanation, KlTarget, Predicate, TokenIn

DRAWS = 2
"""Continuations of each prompt with the feature and without; one under each random direction."""
FLUENCY_DIRECTIONS = 2
"""Random directions whose continuations' perplexity is measured: each costs as much as the feature's."""
NOT_FINITE = "the subject gives no finite numbers"


class ScoredLevel(NamedTuple):
    """What was measured at one strength; shares are of each prompt's continuations."""

    target: KlTarget
    kl: float
    own: Float[np.ndarray, " prompts"]
    """Steered minus clean."""
    random_own: Float[np.ndarray, "prompts directions"]
    random_explained: Float[np.ndarray, "prompts directions"]
    shuffled: Float[np.ndarray, "prompts others"]
    perplexity_clean: float | None
    perplexity_steered: float | None
    perplexity_random: float | None


class MissingLevel(NamedTuple):
    """A level without a score."""

    target: KlTarget
    reason: str


@dataclass(frozen=True)
class LevelMeasuring:
    """What all levels of one explanation share."""

    bench: CausalBench
    feature: int
    texts: SteeredTexts
    predicate: Predicate | None
    donors: tuple[Explanation, ...]
    units: Float[torch.Tensor, "directions d"]
    random_predicates: tuple[TokenIn | None, ...]
    clean: Continued
    clean_log_probs: Float[torch.Tensor, "prompts vocab"]
    perplexity_clean: float | None

    @classmethod
    def of(
        cls,
        bench: CausalBench,
        explanation: Explanation,
        prompts: Sequence[SteeringPrompt],
        donors: tuple[Explanation, ...],
        null: ExplainedDirections,
    ) -> LevelMeasuring:
        ids = tuple(prompt.ids for prompt in prompts)
        seed = seed_of(explanation.feature, f"interventions {bench.settings.seed}")
        site = bench.dictionary.output_site
        texts = SteeredTexts(bench.runs, ids, site, bench.settings.continuation, seed)
        known = bench.runs.subject.vocabulary
        predicates = tuple(
            TokenIn(tokens=written_otherwise(c.texts, known)) if c else None for c in null.concepts
        )
        clean = texts.clean(DRAWS)
        return cls(
            bench,
            explanation.feature.index,
            texts,
            explanation.predicate,
            donors,
            null.directions,
            predicates,
            clean,
            bench.runs.next_log_probs(ids),
            texts.perplexity([clean]),
        )

    def level(self, target: KlTarget) -> ScoredLevel | MissingLevel:
        """One strength."""
        vector = steering_vector(self.bench, self.feature, target.multiple)
        try:
            steered = self.texts.steered(vector, DRAWS)
            random = self.texts.under_each(self.units * vector.norm(), 1)
        except ProbeError:
            return MissingLevel(target, NOT_FINITE)
        n = len(self.texts.prompts)
        pairs = zip(random, self.random_predicates, strict=True)
        return ScoredLevel(
            target=target,
            kl=self._kl(vector),
            own=steered.share(self.predicate) - self.clean.share(self.predicate),
            random_own=columns([r.share(self.predicate) - self._first(self.predicate) for r in random], n),
            random_explained=columns([r.share(p) - self._first(p) for r, p in pairs], n),
            shuffled=columns(
                [steered.share(o.predicate) - self.clean.share(o.predicate) for o in self.donors], n
            ),
            perplexity_clean=self.perplexity_clean,
            perplexity_steered=self.texts.perplexity([steered]),
            perplexity_random=self.texts.perplexity(random[:FLUENCY_DIRECTIONS]),
        )

    def _first(self, predicate: Predicate | None) -> Float[np.ndarray, " prompts"]:
        """Share of clean first draws, which random directions share their random numbers with."""
        return self.clean.share(predicate, 1)

    def _kl(self, vector: Float[torch.Tensor, " d"]) -> float:
        change = AddVectors(self.texts.site, vector[None])
        steered = self.bench.runs.next_log_probs(self.texts.prompts, change)
        return float(next_token_kl(self.clean_log_probs, steered).mean())
