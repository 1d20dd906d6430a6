"""What `label_features` hands on, over planted features with known truth and a real index."""

from __future__ import annotations

import numpy as np
import pytest

from glossator.agents.embedded_analyst.analyst import AnalystReport, TriedRule
from glossator.agents.feature_preparation import LabelledFeature, tried_in_words
from glossator.agents.labelling import label_features
from glossator.probes.activation_index import build_index
from glossator.probes.corpus_document import Document
from glossator.probes.planted_rules import load_rules
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.split_assignment import split_of
from glossator.probes.token_effects import TokenEffects
from glossator.records import FeatureNames, FeatureRef, Split, VerdictKind

FILLER = "the man see a house and go to it when they leave or stay by night"
REF = FeatureRef(subject="planted", dictionary="planted", index=0)


def test_rules_that_read_alike_are_told_once() -> None:
    tried = tuple(TriedRule(text, f1, 0.9) for text, f1 in (("a", 0.9), ("a", 0.8), ("b", 0.7)))
    report = AnalystReport(REF, None, "", tried, (), None)
    assert tried_in_words(report) == ("a (F1 0.90 on validate)", "b (F1 0.70 on validate)")


def marked_documents() -> list[Document]:
    """A hundred and twenty texts of common words; each names its own split in a word of its own."""
    words = FILLER.split() * 8 + ["would", "could", "should"]
    rng = np.random.default_rng(5)
    documents: list[Document] = []
    for i in range(120):
        body = " ".join(rng.choice(words, 200))
        split = split_of(f"{body} mark")  # the mark must not move the text to another split
        text = next(t for n in range(999) if split_of(t := f"{body} mark{split} n{n}") is split)
        documents.append(Document(f"d{i}", "", "", text, "made"))
    return documents


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFeature]:
    documents = marked_documents()
    rules = tuple(rule for rule in load_rules() if rule.name in ("modal verbs", "dead"))
    subject = PlantedSubject.over([d.text for d in documents], rules)
    dictionary = PlantedDictionary(len(rules))
    index = build_index(tmp_path_factory.mktemp("planted"), subject, dictionary, documents, context=64)
    return list(
        label_features(
            index,
            dictionary,
            lambda _: TokenEffects((), ()),
            range(len(rules)),
            embedder=HashingEmbedder(),
            names=FeatureNames("planted", "planted"),
        )
    )


def test_a_plain_feature_is_accepted_and_a_dead_one_abstained_from(labelled: list[LabelledFeature]) -> None:
    cards = {card.n_firings > 0: card for card in (made.card for made in labelled)}
    assert cards[True].verdict.kind is VerdictKind.ACCEPTED
    explanation = cards[True].explanation
    assert explanation is not None
    assert "would" in explanation.text
    assert cards[False].verdict.kind is VerdictKind.ABSTAINED
    assert cards[False].explanation is None
    assert "dead" in cards[False].verdict.reason


def test_every_cited_evidence_is_handed_on(labelled: list[LabelledFeature]) -> None:
    for made in labelled:
        known = {e.id for e in made.evidence}
        cited = {*made.card.evidence, *(s.evidence for s in made.card.scores if s.evidence is not None)}
        if made.card.explanation is not None:
            cited |= set(made.card.explanation.evidence)
        assert cited
        assert cited <= known


def test_no_sealed_word_reaches_a_card_or_evidence(labelled: list[LabelledFeature]) -> None:
    everything = "".join(
        m.card.model_dump_json() + "".join(e.model_dump_json() for e in m.evidence) for m in labelled
    )
    assert f"mark{Split.EXPLORE}" in everything
    assert f"mark{Split.SEALED}" not in everything
