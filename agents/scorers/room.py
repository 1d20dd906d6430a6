"""What scorers share within a run: the three splits, the embedder, and everything computed once.

Nothing that leaves this package holds sealed text: scores are numbers, and their evidence is
document ids, positions and outcomes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glossator.agents.firing_facts import STRONG, FiringFacts
from glossator.agents.scorers.embedding_cache import EmbeddingCache
from glossator.agents.scorers.examples import ScoringExamples, draw_examples, seed_of
from glossator.agents.scorers.held_tokens import Evaluate, HeldTokens, HeldTokensCache
from glossator.agents.scorers.settings import ScoringSettings
from glossator.probes.negatives import WindowPool
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import AnyView, ExploreView, SealedView, ValidateView
from glossator.probes.text_embedder import TextEmbedder
from glossator.records import FeatureRef

_POOL_SEED = 20_240_229
_KEPT_EXAMPLES = 256


@dataclass(frozen=True)
class FeatureNeighbours:
    """Features whose windows make hard negatives."""

    by_direction: tuple[int, ...] = ()
    by_coactivation: tuple[int, ...] = ()


class ScoringRoom:
    """The splits and the shared measurements of one run."""

    def __init__(
        self,
        explore: ExploreView,
        validate: ValidateView,
        sealed: SealedView,
        *,
        index_identity: str,
        embedder: TextEmbedder | None = None,
        settings: ScoringSettings | None = None,
        evaluate: Evaluate = evaluate,
    ) -> None:
        self.explore, self.validate, self.sealed = explore, validate, sealed
        self.index_identity = index_identity
        self.settings = settings or ScoringSettings()
        self.embedder = None if embedder is None else EmbeddingCache(embedder)
        self.held = HeldTokensCache(sealed, evaluate)
        self._examples: OrderedDict[tuple[str, int, FeatureNeighbours], ScoringExamples] = OrderedDict()

    def strong_threshold(self, feature: FeatureRef) -> float:
        """The activation above which the feature fires strongly: a share of its maximum on `explore`."""
        return STRONG * float(self.explore.firings(feature.index).activation.max(initial=0.0))

    def facts(self, feature: FeatureRef) -> FiringFacts:
        """How often the feature fires: what a verdict needs besides scores."""
        n_explore = len(self.explore.firings(feature.index).position)
        return FiringFacts(
            n_explore=n_explore,
            n_sealed=len(self.sealed.firings(feature.index).position),
            density=n_explore / max(1, self._explore_tokens),
        )

    @cached_property
    def _explore_tokens(self) -> int:
        return int(np.count_nonzero(self.explore.text.eligible))

    def examples(self, feature: FeatureRef, neighbours: FeatureNeighbours) -> ScoringExamples:
        """The feature's sealed examples; the same for every explanation of it."""
        return self._drawn(self.sealed, feature, neighbours, self.settings, self.sealed_pool)

    def tuning_examples(self, feature: FeatureRef) -> ScoringExamples:
        """Firing and random silent windows of `validate`, for the embedder's threshold."""
        n = self.settings.n_tuning
        sizes = ScoringSettings(n_firing=n, n_random=self.settings.tuning_pool, n_hard=0, n_embedded=n)
        return self._drawn(self.validate, feature, FeatureNeighbours(), sizes, self.validate_pool)

    @cached_property
    def everything(self) -> HeldTokens:
        """What a predicate that holds everywhere would give: the eligible tokens of `sealed`."""
        return HeldTokens(np.ones(len(self.sealed.text), dtype=bool), self.sealed.text)

    @cached_property
    def sealed_pool(self) -> WindowPool | None:
        """Random windows of `sealed`, embedded once."""
        return self._pool(self.sealed, self.settings.pool)

    @cached_property
    def validate_pool(self) -> WindowPool | None:
        """Random windows of `validate`, embedded once."""
        return self._pool(self.validate, self.settings.tuning_pool)

    def _pool(self, view: AnyView, size: int) -> WindowPool | None:
        if self.embedder is None:
            return None
        return WindowPool.draw(view, self.embedder, size=size, seed=_POOL_SEED)

    def _drawn(
        self,
        view: AnyView,
        feature: FeatureRef,
        neighbours: FeatureNeighbours,
        settings: ScoringSettings,
        pool: WindowPool | None,
    ) -> ScoringExamples:
        key = (view.split.value, feature.index, neighbours)
        if key not in self._examples:
            self._examples[key] = draw_examples(
                view,
                feature.index,
                settings,
                threshold=self.strong_threshold(feature),
                seed=seed_of(feature, f"examples {view.split}"),
                by_direction=neighbours.by_direction,
                by_coactivation=neighbours.by_coactivation,
                pool=pool,
                embedder=self.embedder,
            )
        if len(self._examples) > _KEPT_EXAMPLES:
            self._examples.popitem(last=False)
        return self._examples[key]
