"""Keeps our own labels current where imported ones do not stand better.

The last card of a feature is its current one. An imported label is measured, kept and compared like any
other, but one that stands no better must not take the place of a label that was tested before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from glossator.memory.ledger import Ledger
from glossator.records import ExplanationMethod, FeatureCard, FeatureRef, VerdictKind

_RANK = {VerdictKind.ABSTAINED: 0, VerdictKind.TENTATIVE: 1, VerdictKind.ACCEPTED: 2}


def own_cards(ledger: Ledger, features: Iterable[FeatureRef]) -> dict[str, FeatureCard]:
    """The current cards of `features` by name, those with labels of our own."""
    found = ((str(ref), ledger.latest_card(ref)) for ref in features)
    return {name: card for name, card in found if card is not None and not _is_imported(card)}


def keep_own(ledger: Ledger, own: Mapping[str, FeatureCard], imported: Iterable[FeatureCard]) -> int:
    """Make `own` cards current again where the `imported` ones stand no better; returns how many."""
    kept = [
        earlier
        for card in imported
        if (earlier := own.get(str(card.feature))) is not None and _rank(earlier) >= _rank(card)
    ]
    if kept:
        run = ledger.start_run("import: own labels kept", {})
        for card in kept:
            ledger.save_card(run, card)
    return len(kept)


def _is_imported(card: FeatureCard) -> bool:
    return card.explanation is not None and card.explanation.method is ExplanationMethod.IMPORTED


def _rank(card: FeatureCard) -> int:
    return _RANK[card.verdict.kind]
