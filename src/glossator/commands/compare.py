"""`glossator compare`: every explanation of a feature, side by side, from the ledger alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings
from glossator.commands.show import find_feature, not_labelled

if TYPE_CHECKING:
    from glossator.comparison import Comparison
    from glossator.records import FeatureCard
    from glossator.settings import EffectiveSettings
else:
    Comparison = EffectiveSettings = FeatureCard = Any


@with_settings
def compare_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    *,
    effective: EffectiveSettings,
    as_json: JsonFlag = False,
) -> None:
    """Compare a feature's explanations, with paired intervals."""
    from glossator.comparison import compare_cards
    from glossator.report.terminal_comparison import render_comparison
    from glossator.session import Session

    with Session(effective.settings) as session:
        ref = find_feature(session, feature)
        cards = session.ledger().card_history(ref)
        if not cards:
            raise not_labelled(session, ref)
        comparison = compare_cards(cards, session.ledger().evidence, seed=effective.settings.seed)
    if wants_json(as_json):
        print_json_line(comparison.model_dump(mode="json"))
    elif comparison.explanations:
        print_rich(render_comparison(comparison))
    for remark in _remarks(comparison, cards[0]):
        note(remark)


def _remarks(comparison: Comparison, card: FeatureCard) -> list[str]:
    """What is missing for a comparison."""
    from glossator.report.token_marks import safe_text

    asked = f"glossator label --features {card.feature.index} --force --explainer PROVIDER:MODEL"
    if not comparison.explanations:
        return [f"{card.feature} has no explanation to compare: {safe_text(card.verdict.reason)}"]
    if len(comparison.explanations) == 1:
        return [f"there is one explanation of {card.feature}, so nothing to compare it with: {asked}"]
    return []
