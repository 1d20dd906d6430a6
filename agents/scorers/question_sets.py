"""Question sets of the features at hand, made once for all their explanations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.question_set import QuestionSet
from glossator.records import FeatureRef, ScoreMethod

_KEPT = 128


class QuestionSets:
    """Keeps the sets asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[ScoreMethod, FeatureRef, str], QuestionSet] = OrderedDict()

    def of(
        self,
        method: ScoreMethod,
        feature: FeatureRef,
        examples: ScoringExamples,
        make: Callable[[], QuestionSet],
    ) -> QuestionSet:
        """The set of a method for these examples of a feature."""
        key = (method, feature, repr(sorted(examples.recipe.items())))
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]
