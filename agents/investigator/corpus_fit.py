"""How claims fare on `explore`, and which of them are the same claim."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from glossator.agents.embedded_analyst.firing_target import FiringTarget, firing_target
from glossator.errors import UserError
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import ExploreView
from glossator.records import Predicate


class CorpusFit:
    """One feature on `explore`."""

    def __init__(self, view: ExploreView, feature: int) -> None:
        self._view, self._feature = view, feature
        self._held: dict[Predicate, Bool[np.ndarray, " tokens"]] = {}

    @cached_property
    def activations(self) -> Float[np.ndarray, " firings"]:
        """Every firing, weakest first."""
        return np.sort(self._view.firings(self._feature).activation)

    @property
    def maximum(self) -> float:
        """The largest activation; 0 where it never fires."""
        return float(self.activations[-1]) if len(self.activations) else 0.0

    def quantile(self, activation: float) -> float:
        """Share of firings that are weaker; 0 for silence."""
        if activation <= 0 or not len(self.activations):
            return 0.0
        return float(np.searchsorted(self.activations, activation) / len(self.activations))

    def f1(self, predicate: Predicate) -> float:
        """Against strong firings; weak ones do not count."""
        held, target = self._evaluated(predicate), self._target
        hits, false = int(held[target.strong].sum()), int(held[target.silent].sum())
        return 2 * hits / max(1, hits + false + len(target.strong))

    def same_as(self, predicate: Predicate) -> str:
        """A name that two predicates share exactly if they hold on the same tokens of `explore`."""
        return hashlib.sha256(np.packbits(self._evaluated(predicate)).tobytes()).hexdigest()

    def can_run(self, predicate: Predicate) -> bool:
        """Whether it can be evaluated at all."""
        try:
            self._evaluated(predicate)
        except (UserError, RecursionError):
            return False
        return True

    @cached_property
    def _target(self) -> FiringTarget:
        return firing_target(self._view, self._feature, self.maximum)

    def _evaluated(self, predicate: Predicate) -> Bool[np.ndarray, " tokens"]:
        if predicate not in self._held:
            self._held[predicate] = evaluate(predicate, self._view.text) & self._view.text.eligible
        return self._held[predicate]
