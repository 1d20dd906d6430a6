"""`glossator show`: everything known of one feature, from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.records import FeatureRef
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = FeatureRef = Session = Any


@with_settings
def show_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    *,
    effective: EffectiveSettings,
    as_json: JsonFlag = False,
) -> None:
    """Show a feature: label, scores, output tokens and windows."""
    from glossator.comparison import compare_cards
    from glossator.report.terminal import card_json_line, render_card
    from glossator.session import Session as OpenedSession

    with OpenedSession(effective.settings) as session:
        ref = find_feature(session, feature)
        card = session.ledger().latest_card(ref)
        if card is None:
            raise not_labelled(session, ref)
        if wants_json(as_json):
            typer.echo(card_json_line(card))
        else:
            evidence, seed = session.ledger().evidence, effective.settings.seed
            print_rich(render_card(card, compare_cards([card], evidence, seed=seed)))


def find_feature(session: Session, text: str) -> FeatureRef:
    """The feature that `text` names; a bare index belongs to the settings' own dictionary.

    Raises:
        UnknownNameError: It is no index or reference, or the dictionary is narrower.

    """
    from glossator.errors import UnknownNameError
    from glossator.feature_selection import parse_features
    from glossator.records import FeatureRef as Ref

    if not text.strip().isdigit():
        return Ref.parse(text)
    index = int(text)
    known = session.passport()
    if known is not None:
        parse_features(text, known.n_features)
        return Ref(subject=known.subject, dictionary=known.dictionary, index=index)
    stored = session.ledger().dictionaries()
    if len(stored) == 1:
        return Ref(subject=stored[0][0], dictionary=stored[0][1], index=index)
    if not stored:
        raise UnknownNameError(f"nothing is labelled yet: glossator label --features {index}")
    names = ", ".join(f"{s}/{d}/{index}" for s, d in stored[:5])
    raise UnknownNameError(f"feature {text!r} of which dictionary? Labelled are: {names}")


def not_labelled(session: Session, ref: FeatureRef) -> Exception:
    """The error for a feature without a card, saying what is labelled and how to label it."""
    from glossator.errors import UnknownNameError
    from glossator.feature_selection import ranges_text

    labelled = [c.card.feature.index for c in session.ledger().cards(ref.subject, ref.dictionary)]
    known = (
        f"labelled are {ranges_text(labelled)}" if labelled else "nothing of this dictionary is labelled yet"
    )
    return UnknownNameError(
        f"{str(ref)!r} is not labelled: {known}. Label it: glossator label --features {ref.index}"
    )
