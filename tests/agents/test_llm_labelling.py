"""Labelling planted features with scripted models: cards, donors, what is stored, budgets, estimates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.feature_preparation import LabelledFeature
from glossator.agents.llm_calls.budget import Limits
from glossator.agents.llm_calls.chat import CallFailure, Unscored, UnscoredReason
from glossator.agents.llm_calls.scripted_chat import Script, ScriptedChat, always, malformed, noisy
from glossator.agents.llm_labelling import LlmLabelling
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.errors import BudgetError, BudgetSpent, EndpointError
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    BaselineName,
    ExplanationMethod,
    FeatureCard,
    LlmSpending,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Split,
    VerdictKind,
)
from tests.agents.planted_index import LABEL_FORM, RULES, WORDS, PlantedIndex, oracle, planted_index, room_of

FEATURES = range(len(RULES))
SCORING = LlmScoringSettings(max_firing=20, max_random=20, max_hard=20)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted_index(tmp_path_factory.mktemp("planted"))


def labelled(
    planted: PlantedIndex,
    endpoint: ScriptedChat,
    *,
    store: CallStore | None = None,
    limits: Limits | None = None,
    expected: LlmSpending | None = None,
    explainers: ExplainerSettings | None = None,
    dry: bool = False,
) -> list[LabelledFeature]:
    calls, budget = room_of(endpoint, store, limits, dry=dry)
    asked = LlmLabelling(
        calls=calls,
        budget=budget,
        explainers=explainers or ExplainerSettings(),
        scoring=replace(SCORING, assumed_accuracy=0.9) if dry else SCORING,
        windows_per_prompt=5,
        side_by_side=2,
        expected=expected,
    )
    return list(planted.labeller(asked).label(FEATURES))


def cards(made: list[LabelledFeature]) -> list[FeatureCard]:
    return [m.card for m in made]


def score_of(card: FeatureCard, method: ScoreMethod, negatives: Negatives) -> Score:
    wanted = (method, "scripted", Metric.BALANCED_ACCURACY, negatives)
    (found,) = [s for s in card.scores if (s.method, s.reader, s.metric, s.negatives) == wanted]
    return found


@pytest.fixture(scope="module")
def by_oracle(planted: PlantedIndex) -> list[LabelledFeature]:
    return labelled(planted, ScriptedChat(oracle()))


def test_an_oracle_is_accepted_and_compared_with_the_embedded_label(by_oracle: list[LabelledFeature]) -> None:
    for name, card in zip(RULES, cards(by_oracle), strict=True):
        if name == "dead":
            assert card.verdict.kind is VerdictKind.ABSTAINED
            assert card.spending is None
            continue
        assert card.verdict.kind is VerdictKind.ACCEPTED
        assert {c.explanation.method for c in card.candidates} == {
            ExplanationMethod.EMBEDDED, ExplanationMethod.ONE_SHOT
        }  # fmt: skip
        assert sum(c.chosen for c in card.candidates) == 1
        one_shot = next(c for c in card.candidates if c.explanation.method is ExplanationMethod.ONE_SHOT)
        assert all(word in one_shot.explanation.text for word in WORDS[name])
        assert one_shot.explanation.prompts
        assert one_shot.explanation.evidence
        detection = score_of(card, ScoreMethod.DETECTION, Negatives.RANDOM)
        assert detection.value == 1.0
        assert detection.split is Split.SEALED
        assert detection.prompt is not None
        shuffled = next(b for b in detection.baselines if b.name is BaselineName.SHUFFLED)
        assert shuffled.value is not None
        assert shuffled.value < 0.8
        assert card.spending is not None
        assert card.spending.calls > 0


def test_every_cited_evidence_is_handed_on(by_oracle: list[LabelledFeature]) -> None:
    for made in by_oracle:
        known = {e.id for e in made.evidence}
        scores = (*made.card.scores, *(s for c in made.card.candidates for s in c.scores))
        cited = {*made.card.evidence, *(s.evidence for s in scores if s.evidence is not None)}
        cited |= {i for c in made.card.candidates for i in c.explanation.evidence}
        assert cited <= known


@pytest.mark.slow
def test_no_sealed_word_reaches_an_explainer_or_the_ledger(planted: PlantedIndex, tmp_path: Path) -> None:
    chat = ScriptedChat(oracle())
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        made = labelled(planted, chat, store=CallStore(ledger))
        run = ledger.start_run("label", {})
        for one in made:
            ledger.save_card(run, one.card, one.evidence)
    asked = ["".join(m.content for m in r.messages) for r in chat.requests]
    assert any(f"mark{Split.SEALED}" in text for text in asked)  # scorers do read it
    forms = [r.schema.name if r.schema else "" for r in chat.requests]
    explaining = [text for text, form in zip(asked, forms, strict=True) if form == LABEL_FORM]
    assert explaining
    assert any(f"mark{Split.EXPLORE}" in t for t in explaining)
    for text in explaining:
        assert f"mark{Split.SEALED}" not in text
        assert f"mark{Split.VALIDATE}" not in text
    stored = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert f"mark{Split.EXPLORE}".encode() in stored
    assert f"mark{Split.SEALED}".encode() not in stored


@pytest.mark.slow
def test_a_second_run_pays_for_nothing_and_says_the_same(planted: PlantedIndex, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        first = ScriptedChat(noisy(oracle(), 0.1))
        once = cards(labelled(planted, first, store=CallStore(ledger)))
        second = ScriptedChat(noisy(oracle(), 0.1))
        again = cards(labelled(planted, second, store=CallStore(ledger)))
    assert len(first.requests) > 50
    assert not second.requests
    for a, b in zip(once, again, strict=True):
        assert a.model_copy(update={"spending": None}) == b.model_copy(update={"spending": None})
        assert (b.spending is None) == (b.explanation is None)
        assert b.spending is None or b.spending.calls == 0


@pytest.mark.slow
def test_a_run_that_breaks_down_goes_on_without_paying_twice(planted: PlantedIndex, tmp_path: Path) -> None:
    down = CallFailure(UnscoredReason.SERVER_ERROR, "gone", retryable=False)
    breaking = ScriptedChat(oracle(), failing=lambda n: down if n >= 40 else None)
    whole = ScriptedChat(oracle())
    labelled(planted, whole)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(EndpointError):
            labelled(planted, breaking, store=CallStore(ledger))
        rest = ScriptedChat(oracle())
        labelled(planted, rest, store=CallStore(ledger))
    paid, needed, again = (set(map(repr, r)) for r in (breaking.requests[:40], whole.requests, rest.requests))
    assert len(rest.requests) == len(needed) - 40
    assert not again & paid


@pytest.mark.slow
def test_broken_answers_are_counted_and_do_not_move_the_score(planted: PlantedIndex) -> None:
    clean = cards(labelled(planted, ScriptedChat(noisy(oracle(), 0.1))))
    broken = cards(labelled(planted, ScriptedChat(_half_broken(noisy(oracle(), 0.1)))))
    assert any(sum(c.spending.unscored.values()) for c in broken if c.spending)
    for a, b in zip(clean[:3], broken[:3], strict=True):
        whole = score_of(a, ScoreMethod.DETECTION, Negatives.RANDOM)
        part = score_of(b, ScoreMethod.DETECTION, Negatives.RANDOM)
        assert whole.interval is not None
        assert part.value is not None
        assert whole.interval.low <= part.value <= whole.interval.high


def _half_broken(script: Script) -> Script:
    """Breaks a tenth of the readers' answers, and none of the explainer's."""
    broken = malformed(script, 0.1)
    return lambda asked: script(asked) if asked.form == LABEL_FORM else broken(asked)


def test_a_refusing_model_leaves_the_embedded_label_unscored_by_it(planted: PlantedIndex) -> None:
    made = cards(labelled(planted, ScriptedChat(always("I'm sorry, but I can't help with that."))))
    card = made[0]
    assert card.rejected
    assert [c.explanation.method for c in card.candidates] == [ExplanationMethod.EMBEDDED]
    detection = score_of(card, ScoreMethod.DETECTION, Negatives.RANDOM)
    assert detection.value is None
    assert sum(detection.unscored.values()) > 0
    assert card.verdict.kind is VerdictKind.ACCEPTED, "the analyst's predicate was read, not its words"


@pytest.mark.slow
def test_features_that_ask_nothing_do_not_lower_what_one_is_expected_to_cost(planted: PlantedIndex) -> None:
    one = cards(labelled(planted, ScriptedChat(oracle())))[0].spending
    assert one is not None
    chat, dead = ScriptedChat(oracle()), RULES.index("dead")
    # Pays for one feature and three quarters: a mean over the dead one would say that two are paid for.
    calls, budget = room_of(chat, None, Limits(calls=int(one.calls * 1.75)))
    asked = LlmLabelling(
        calls=calls, budget=budget, scoring=SCORING, windows_per_prompt=5, side_by_side=1, expected=one
    )
    made = planted.labeller(asked).label([dead, 0, 1])
    with pytest.raises(BudgetSpent, match="another feature"):
        list(made)
    assert len(chat.requests) == one.calls


@pytest.mark.slow
def test_a_budget_ends_the_run_after_whole_features(planted: PlantedIndex) -> None:
    one = cards(labelled(planted, ScriptedChat(oracle())))[0].spending
    assert one is not None
    chat, made = ScriptedChat(oracle()), list[FeatureCard]()
    calls, budget = room_of(chat, None, Limits(calls=int(one.calls * 1.6)))
    asked = LlmLabelling(
        calls=calls, budget=budget, scoring=SCORING, windows_per_prompt=5, side_by_side=2, expected=one
    )
    with pytest.raises(BudgetSpent, match="another feature"):
        made.extend(m.card for m in planted.labeller(asked).label(FEATURES))
    assert len(chat.requests) <= one.calls * 1.6
    assert len(chat.requests) >= one.calls * 0.9


def test_a_budget_too_small_for_one_feature_spends_nothing(planted: PlantedIndex) -> None:
    chat = ScriptedChat(oracle())
    with pytest.raises(BudgetError, match="too small for one feature"):
        labelled(planted, chat, limits=Limits(calls=3), expected=LlmSpending(calls=40, usd=0.0))
    assert not chat.requests


def test_a_rehearsal_asks_nothing_and_comes_near_the_truth(planted: PlantedIndex, tmp_path: Path) -> None:
    chat = ScriptedChat(oracle())
    dry = cards(labelled(planted, chat, dry=True))
    assert not chat.requests
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        real = cards(labelled(planted, ScriptedChat(noisy(oracle(), 0.1)), store=CallStore(ledger)))
    expected, spent = (sum(c.spending.calls for c in cs if c.spending) for cs in (dry, real))
    assert expected == pytest.approx(spent, rel=0.2)


def test_unscored_is_a_type_of_its_own() -> None:
    assert Unscored(UnscoredReason.EMPTY) == Unscored(UnscoredReason.EMPTY, "")
