"""Labels of others: which are labels, and that they are scored exactly as the same words of our own."""

from __future__ import annotations

import pytest

from glossator.agents.feature_preparation import LabelledFeature
from glossator.agents.imported_labels import NO_LABEL, usable_labels
from glossator.agents.labelling import FeatureLabeller, label_features
from glossator.agents.llm_calls.scripted_chat import ScriptedChat
from glossator.agents.llm_labelling import LlmLabeller, LlmLabelling
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import (
    BaselineName,
    ClaimedScore,
    EvidenceKind,
    ExplanationMethod,
    FeatureCard,
    FeatureNames,
    ImportedLabel,
    Score,
    ScoreMethod,
    VerdictKind,
)
from tests.agents.planted_index import LABEL_FORM, RULES, WORDS, PlantedIndex, oracle, planted_index, room_of

SCORING = LlmScoringSettings(max_firing=20, max_random=20, max_hard=20)
FEATURES = range(len(RULES))


def imported(feature: int, text: str, author: str = "neuronpedia:gpt-4o-mini") -> ImportedLabel:
    claimed = (ClaimedScore(name="eleuther_fuzz", value=0.99),)
    return ImportedLabel(feature=feature, text=text, author=author, claimed=claimed, source="batch-0.jsonl")


def true_words(feature: int) -> str:
    return "one of the words " + ", ".join(f'"{w}"' for w in WORDS[RULES[feature]])


LABELS = {i: imported(i, true_words(i)) for i, name in enumerate(RULES) if name != "dead"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted_index(tmp_path_factory.mktemp("planted"))


def by_llm(
    planted: PlantedIndex, asked: dict[int, ImportedLabel] | None, chat: ScriptedChat
) -> list[FeatureCard]:
    calls, budget = room_of(chat)
    labelling = LlmLabelling(
        calls=calls, budget=budget, scoring=SCORING, windows_per_prompt=5, side_by_side=2, labels=asked
    )
    labeller = LlmLabeller(planted.preparation(), labelling, FEATURES)
    return [made.card for made in labeller.label(FEATURES)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("**The pattern:** MAX_ACTIVATING_TOKENS are all nouns. I need to generate", "prompt echo"),
        ("Explanation could not be parsed.", "placeholder"),
        ("Okay, let me look at these windows", "thinking leak"),
        ("<think>they share a word", "thinking leak"),
        ("I'm sorry, but I can't help with that", "refusal"),
        ("x " * 61, "too long"),
        ("  ", "empty"),
        ("[EXPLANATION]: nouns", "prompt echo"),
        ("Find what they share that other text lacks", "prompt echo"),
    ],
)
def test_what_is_no_label_is_counted_by_reason(text: str, reason: str) -> None:
    found = usable_labels([imported(3, text), imported(3, "the sea")])
    assert found.rejected == {reason: 1}
    assert found.by_feature[3].text == "the sea"


def test_the_first_usable_label_of_a_feature_counts() -> None:
    found = usable_labels([imported(1, "a"), imported(0, "the sea"), imported(1, "money", "delphi")])
    assert {i: one.text for i, one in found.by_feature.items()} == {1: "a", 0: "the sea"}
    assert (found.rejected, found.further) == ({}, 1)


def test_the_same_words_have_the_same_scores_whoever_wrote_them(planted: PlantedIndex) -> None:
    chat = ScriptedChat(oracle())
    ours = by_llm(planted, None, ScriptedChat(oracle()))
    theirs = by_llm(planted, LABELS, chat)
    for name, own, other in zip(RULES, ours, theirs, strict=True):
        if name == "dead":
            assert other.explanation is None
            continue
        written = next(c for c in own.candidates if c.explanation.method is ExplanationMethod.ONE_SHOT)
        assert other.explanation is not None
        assert other.explanation.text == written.explanation.text
        assert other.explanation.method is ExplanationMethod.IMPORTED
        assert other.explanation.author == "neuronpedia:gpt-4o-mini"
        assert other.verdict.kind is VerdictKind.ACCEPTED
        assert [c.chosen for c in other.candidates] == [True]
        same = [ScoreMethod.DETECTION, ScoreMethod.FUZZING, ScoreMethod.EMBEDDING]
        assert values(other.scores, same) == values(written.scores, same)
        names = {b.name for s in other.scores if s.reader == "scripted" for b in s.baselines}
        assert {BaselineName.SHUFFLED, BaselineName.EMBEDDED_ANALYST} <= names


def values(scores: tuple[Score, ...], methods: list[ScoreMethod]) -> dict[tuple[str, ...], float]:
    """Values of one explanation; readings that stopped early for one of them still agree on these windows."""
    return {
        (s.method.value, s.reader, s.metric.value, s.negatives.value): round(s.value, 9)
        for s in scores
        if s.method in methods and s.value is not None
    }


def test_no_explainer_is_asked(planted: PlantedIndex) -> None:
    chat = ScriptedChat(oracle())
    by_llm(planted, LABELS, chat)
    forms = {request.schema.name for request in chat.requests if request.schema is not None}
    assert forms
    assert LABEL_FORM not in forms


def without_llm(planted: PlantedIndex, labels: dict[int, ImportedLabel] | None) -> list[LabelledFeature]:
    return list(
        label_features(
            planted.activations, planted.dictionary, lambda _: TokenEffects((), ()), FEATURES,
            embedder=HashingEmbedder(), names=FeatureNames("planted", "planted"), labels=labels,
        )
    )  # fmt: skip


def test_without_a_model_the_free_readers_decide_and_claims_stay_claims(planted: PlantedIndex) -> None:
    made = without_llm(planted, LABELS)
    ours = without_llm(planted, None)
    for own, (card, evidence) in zip(ours, made, strict=True):
        if card.feature.index not in LABELS:
            continue
        assert card.explanation is not None
        assert card.explanation.method is ExplanationMethod.IMPORTED
        claims = [e for e in evidence if e.kind is EvidenceKind.IMPORTED]
        assert len(claims) == 1
        assert claims[0].id in card.evidence
        assert claims[0].id in card.explanation.evidence
        assert not any(s.value == 0.99 for s in card.scores)
        assert "detection" in card.verdict.reason
        assert own.card.explanation is not None
        named = {b.name for s in card.scores if s.reader == "embedder" for b in s.baselines}
        assert BaselineName.EMBEDDED_ANALYST in named


def test_a_feature_without_a_label_gets_none(planted: PlantedIndex) -> None:
    labeller = FeatureLabeller(planted.preparation(), labels={0: LABELS[0]})
    cards = [made.card for made in labeller.label([0, 1])]
    assert [card.explanation is None for card in cards] == [False, True]
    assert cards[1].verdict.kind is VerdictKind.ABSTAINED
    asked = by_llm(
        planted, {0: replace_text(LABELS[0], "I'm sorry, but I can't help")}, ScriptedChat(oracle())
    )
    assert asked[0].rejected == {"refusal": 1}
    assert asked[1].rejected == {NO_LABEL: 1}
    assert all(card.explanation is None for card in asked)


def replace_text(label: ImportedLabel, text: str) -> ImportedLabel:
    return label.model_copy(update={"text": text})
