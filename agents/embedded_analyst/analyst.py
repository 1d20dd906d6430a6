"""The embedded analyst: explains a feature by the rule that does best on validate, or abstains.

It needs no LLM. It is also the baseline that every other explainer is compared with, and it flags
features that one token or two explain before anyone pays for a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget, firing_target
from glossator.agents.embedded_analyst.rule_choice import (
    Tried,
    ValidateScore,
    ranked_on_validate,
    window_sample,
)
from glossator.agents.embedded_analyst.rule_search import SearchSpace, search_rules
from glossator.agents.embedded_analyst.trivial_rules import trivial_flags
from glossator.agents.embedded_analyst.window_words import background_presence
from glossator.agents.embedded_analyst.word_families import WordFamilies
from glossator.agents.embedded_analyst.wording import Wording
from glossator.probes.split_view import ExploreView, ValidateView
from glossator.probes.text_embedder import TextEmbedder
from glossator.records import Explanation, ExplanationFlag, FeatureRef, Predicate

AUTHOR = "embedded-analyst/1"
_USUAL_WORDS = 400


@dataclass(frozen=True)
class AnalystRules:
    """When the analyst speaks. Tuned on validate only."""

    least_strong: int = 8
    """Strong firings on explore under which it does not look for a rule."""
    least_validate: int = 3
    """Strong firings on validate under which it cannot choose."""
    least_f1: float = 0.3
    """F1 on validate under which it abstains."""
    least_balanced_accuracy: float = 0.7
    """Balanced accuracy over validate windows under which it abstains."""
    over_always: float = 0.1
    """How far F1 must lie above that of the rule "always"."""
    always: float = 0.5
    """Share of tokens with strong firings above which it does not look for a rule."""
    candidates: int = 24
    """Rules of any length carried from explore to validate."""
    dense: float = 0.1
    """Share of tokens above which a feature is flagged as dense."""
    firm: int = 30
    """Strong firings on explore under which evidence is flagged as sparse."""


@dataclass(frozen=True)
class TriedRule:
    """One candidate, in words, with its F1 on validate."""

    text: str
    f1: float
    balanced_accuracy: float


@dataclass(frozen=True)
class AnalystReport:
    """A label or an abstention, and what was tried on the way."""

    feature: FeatureRef
    explanation: Explanation | None
    """None after abstention."""
    reason: str
    """Why it was labelled, or why not."""
    tried: tuple[TriedRule, ...]
    """Best first."""
    flags: tuple[ExplanationFlag, ...]
    validate: ValidateScore | None
    """The winner's score on validate; None if nothing could be tried."""


class EmbeddedAnalyst:
    """Explains features of one index. What all features share is computed once, at first use."""

    def __init__(
        self,
        explore: ExploreView,
        validate: ValidateView,
        embedder: TextEmbedder | None = None,
        rules: AnalystRules | None = None,
    ) -> None:
        self.explore, self.validate, self.embedder = explore, validate, embedder
        self._rules = AnalystRules() if rules is None else rules

    @cached_property
    def space(self) -> SearchSpace:
        """What a search of `explore` needs besides its target."""
        stats = CorpusStatistics.over(self.explore.text)
        return SearchSpace(stats, background_presence(stats))

    @cached_property
    def validate_stats(self) -> CorpusStatistics:
        """Keys and counts over `validate`."""
        return CorpusStatistics.over(self.validate.text)

    @cached_property
    def wording(self) -> Wording:
        """Writes labels in the words of `explore`."""
        stats = self.space.stats
        if self.embedder is None:
            return Wording(stats, None)
        frequent = np.argsort(-stats.counts[Key.WORD][:-1], kind="stable")[:_USUAL_WORDS]
        return Wording(stats, WordFamilies(self.embedder, [stats.words.words[i] for i in frequent]))

    def explain(self, feature: FeatureRef) -> AnalystReport:
        """Explain `feature`; raises `UnknownNameError` if the index has no such feature."""
        firings = self.explore.firings(feature.index)
        if not len(firings.position):
            return self._silent(feature, "it never fires on explore")
        maximum = float(firings.activation.max())
        target = firing_target(self.explore, feature.index, maximum)
        check = firing_target(self.validate, feature.index, maximum)
        n, m = len(target.strong), len(check.strong)
        share = n / max(1, self.space.stats.n_eligible)
        if share > self._rules.always:
            reason = f"it fires strongly on {share:.0%} of tokens, and there is little to tell apart"
            return AnalystReport(feature, None, reason, (), (ExplanationFlag.DENSE,), None)
        if n < self._rules.least_strong or m < self._rules.least_validate:
            return self._silent(
                feature,
                f"it fires strongly only {n} times on explore and {m} on validate; "
                f"at least {self._rules.least_strong} and {self._rules.least_validate} are needed",
            )
        drafts = search_rules(self.space, target, self._rules.candidates)
        sample = window_sample(self.validate, feature.index, maximum)
        tried = ranked_on_validate([d.predicate for d in drafts], self.validate_stats, check, sample)
        return self._decide(feature, target, check, tried)

    def worded(self, feature: FeatureRef, predicate: Predicate) -> str:
        """`predicate` in words that code chose, as a label of `feature`; `UserError` if it cannot be run."""
        firings = self.explore.firings(feature.index)
        target = firing_target(self.explore, feature.index, float(firings.activation.max(initial=0.0)))
        return self.wording.label(predicate, target)

    def ranked(self, feature: FeatureRef, predicates: Sequence[Predicate]) -> list[Tried]:
        """How `predicates` do on validate, best first; `UserError` if one cannot be run."""
        maximum = float(self.explore.firings(feature.index).activation.max(initial=0.0))
        check = firing_target(self.validate, feature.index, maximum)
        sample = window_sample(self.validate, feature.index, maximum)
        return ranked_on_validate(list(predicates), self.validate_stats, check, sample)

    def _decide(
        self, feature: FeatureRef, target: FiringTarget, check: FiringTarget, tried: list[Tried]
    ) -> AnalystReport:
        best, score = tried[0].predicate, tried[0].score
        flags = self._flags(target, tried)
        told = tuple(
            TriedRule(self.wording.label(t.predicate, target, i == 0), t.score.f1, t.score.balanced_accuracy)
            for i, t in enumerate(tried[:5])
        )
        share = len(check.strong) / max(1, int((check.wanted >= 0).sum()))
        doubt = self._doubt(score, share)
        if doubt is not None:
            return AnalystReport(feature, None, doubt, told, flags, score)
        explanation = Explanation.of(feature, AUTHOR, told[0].text, best, flags)
        reason = f"F1 {score.f1:.2f}, balanced accuracy {score.balanced_accuracy:.2f} on validate"
        return AnalystReport(feature, explanation, reason, told, flags, score)

    def _doubt(self, score: ValidateScore, share: float) -> str | None:
        """Why the best rule is not good enough; None if it is."""
        always = 2 * share / (1 + share)
        if score.f1 < always + self._rules.over_always:
            return (
                f"the best rule's F1 on validate is {score.f1:.2f}; "
                f"a rule that always holds would have {always:.2f}"
            )
        if score.f1 < self._rules.least_f1:
            return f"the best rule's F1 on validate is {score.f1:.2f}, under {self._rules.least_f1}"
        if score.balanced_accuracy < self._rules.least_balanced_accuracy:
            return (
                f"the best rule tells firing from silent windows of validate with balanced accuracy "
                f"{score.balanced_accuracy:.2f}, under {self._rules.least_balanced_accuracy}"
            )
        return None

    def _flags(self, target: FiringTarget, tried: list[Tried]) -> tuple[ExplanationFlag, ...]:
        flags = list(trivial_flags(tried))
        fires = len(target.strong) + len(target.weak)
        if fires > self._rules.dense * self.space.stats.n_eligible:
            flags.append(ExplanationFlag.DENSE)
        if len(target.strong) < self._rules.firm:
            flags.append(ExplanationFlag.SPARSE_EVIDENCE)
        return tuple(flags)

    def _silent(self, feature: FeatureRef, reason: str) -> AnalystReport:
        return AnalystReport(feature, None, reason, (), (ExplanationFlag.SPARSE_EVIDENCE,), None)
