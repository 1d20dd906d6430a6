"""What is exported comes back, and exported again it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from glossator.exports.context import ExportKind
from glossator.exports.export import export_cards
from glossator.imports.reading import ImportKind, read_labels
from glossator.records import Explanation, FeatureCard
from tests.exports.labelled_cards import CONTEXT, LabelledCards, contents, labelled_cards
from tests.report.fake_cards import fake_cards

AUTHORS = {ImportKind.NEURONPEDIA: "neuronpedia:embedded-analyst/1", ImportKind.DELPHI: "delphi"}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> LabelledCards:
    return labelled_cards(tmp_path_factory.mktemp("planted"))


@pytest.mark.parametrize("kind", list(ImportKind))
def test_labels_come_back_by_index_with_their_scores_as_claims(
    kind: ImportKind, labelled: LabelledCards, tmp_path: Path
) -> None:
    folder = tmp_path / "first"
    export_cards(ExportKind(kind), folder, labelled.cards, evidence=labelled.find, context=CONTEXT)
    read = read_labels(kind, folder, n_features=len(labelled.cards))
    assert {one.feature: one.text for one in read} == labelled.labels
    assert {one.author for one in read} == {AUTHORS[kind]}
    values = {round(s.value, 9) for c in labelled.cards for s in c.scores if s.value is not None}
    claimed = [c for one in read for c in one.claimed]
    assert claimed
    assert {round(c.value, 9) for c in claimed if c.value is not None} <= values
    again = [relabelled(labelled.cards[one.feature], one.text) for one in read]
    rest = [c for c in labelled.cards if c.feature.index not in labelled.labels]
    cards = sorted([*again, *rest], key=lambda c: c.feature.index)
    export_cards(ExportKind(kind), tmp_path / "second", cards, evidence=labelled.find, context=CONTEXT)
    assert contents(tmp_path / "second") == contents(folder)


def relabelled(card: FeatureCard, text: str) -> FeatureCard:
    """The card with its label as it was read back."""
    assert card.explanation is not None
    label = Explanation.model_validate(card.explanation.model_dump() | {"text": text})
    return card.model_copy(update={"explanation": label})


@pytest.mark.parametrize("kind", list(ImportKind))
def test_hostile_labels_come_back_as_they_were(kind: ImportKind, tmp_path: Path) -> None:
    card = fake_cards()[0]
    texts = [
        'a "quoted" \\ back\\slash',
        "→ שלום 猫 👩‍👩‍👧",
        "</script>&amp;",
        "\\u0041 and \t tab",
        "line\nbreak\u2028end",
    ]
    cards = [
        card.model_copy(
            update={
                "feature": card.feature.model_copy(update={"index": i}),
                "explanation": Explanation.of(card.feature, "a:b", text, None),
            }
        )
        for i, text in enumerate(texts)
    ]
    export_cards(ExportKind(kind), tmp_path / "out", cards, evidence=lambda _: None, context=CONTEXT)
    assert [one.text for one in read_labels(kind, tmp_path / "out", n_features=9)] == texts
