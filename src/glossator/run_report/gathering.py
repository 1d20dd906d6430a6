"""One pass over the cards of a run: what is kept is small, so a run of any size can be reported."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from glossator.llm_summary import feature_differences
from glossator.records import AbstentionGroup, FeatureCard, ShownFeature, VerdictKind
from glossator.run_report.earlier_run import EarlierPairing
from glossator.run_report.nestings import Claimed, claimed
from glossator.run_report.score_tallies import ScoreTallies
from glossator.run_report.standings import Standing, standing
from glossator.run_report.surprises import Surprises
from glossator.run_report.top_list import TopList

SHOWN = 10
"""Best and worst features that are shown."""
_EXAMPLES = 8
_GROUPS = 20
_PREFIX = "uninterpretable so far: "
_NOT_ABOVE = "not above explanations of other features"
_BRACKETS = re.compile(r"\s*\([^()]*\)")
_NUMBER = re.compile(r"\d[\d.,]*( ?%)?")


class Gathered:
    """What a report keeps of the cards of a run."""

    def __init__(self, earlier: EarlierPairing | None = None, skipped: frozenset[int] = frozenset()) -> None:
        """Keeps nothing yet; `skipped` are features whose card, where there is one, another run made."""
        self.standings: dict[int, Standing] = {}
        self.claims: dict[int, Claimed] = {}
        self.tallies = ScoreTallies()
        self.surprises = Surprises()
        self.earlier, self._skipped = earlier, skipped
        self.firing: list[int] = []
        """Features that fire at all."""
        self.unscored = 0
        """Features with an explanation of which no score could be measured."""
        self.rejected: Counter[str] = Counter()
        """Explanations that this run asked for and that were not fit to be scored, by reason."""
        self.differences: dict[str, list[float]] = defaultdict(list)
        """Labels of a model minus the embedded analyst's."""
        self._abstained: dict[str, list[int]] = defaultdict(list)
        self._best, self._worst = TopList[ShownFeature](SHOWN), TopList[ShownFeature](SHOWN)

    def read(self, cards: Iterable[FeatureCard]) -> None:
        """Take all cards, one by one; a second card of a feature is left out."""
        for card in cards:
            if card.feature.index not in self.standings:
                self._add(card)

    def abstentions(self) -> tuple[AbstentionGroup, ...]:
        """Features without a label by kind of reason, most frequent first."""
        groups = sorted(self._abstained.items(), key=lambda g: (-len(g[1]), g[0]))
        kept = [
            AbstentionGroup(reason=reason, n=len(features), examples=tuple(features[:_EXAMPLES]))
            for reason, features in groups[:_GROUPS]
        ]
        rest = [f for _, features in groups[_GROUPS:] for f in features]
        if rest:
            kept.append(
                AbstentionGroup(reason="other reasons", n=len(rest), examples=tuple(rest[:_EXAMPLES]))
            )
        return tuple(kept)

    def best(self) -> tuple[ShownFeature, ...]:
        """Accepted labels, by the lower end of the deciding score's interval."""
        return self._best.entries()

    def worst(self) -> tuple[ShownFeature, ...]:
        """Labels that were tried and scored, by its upper end."""
        return self._worst.entries()

    def _add(self, card: FeatureCard) -> None:
        one = standing(card)
        self.standings[one.feature] = one
        self.tallies.add(card)
        self.surprises.add(card, one)
        if one.feature not in self._skipped:
            self.rejected.update(card.rejected)
        if card.n_firings:
            self.firing.append(one.feature)
        if (covered := claimed(card)) is not None:
            self.claims[one.feature] = covered
        for name, values in feature_differences([card]).items():
            self.differences[name] += values
        if self.earlier is not None:
            self.earlier.add(card, one)
        self._rank(card, one)

    def _rank(self, card: FeatureCard, one: Standing) -> None:
        if one.verdict is VerdictKind.ABSTAINED:
            self._abstained[reason_kind(card.verdict.reason)].append(one.feature)
        if one.label and all(s.value is None for s in card.scores):
            self.unscored += 1
        if one.value is None:
            return
        if one.accepted:
            self._best.offer(one.low, one.feature, one.shown)
        if one.label:
            self._worst.offer(-one.high, one.feature, one.shown)


def reason_kind(reason: str) -> str:
    """A verdict's reason without what belongs to one feature: numbers, and what stands in brackets."""
    words = reason.removeprefix(_PREFIX)
    if _NOT_ABOVE in words:
        return f"detection {_NOT_ABOVE}"
    while (shorter := _BRACKETS.sub("", words)) != words:
        words = shorter
    return _NUMBER.sub("…", words).strip() or "no reason given"
