"""What a model proposes: read strictly, forgiven small slips, counted where it cannot be used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from glossator.agents.feature_evidence import FeatureEvidence, Histogram
from glossator.agents.investigator.case import tracing
from glossator.agents.investigator.llm_proposer import THINKING_TOKENS, LlmProposer
from glossator.agents.investigator.proposer import Observed, Proposal, Standing
from glossator.agents.llm_calls.chat import Finish
from glossator.agents.llm_calls.scripted_chat import Script, Scripted, ScriptedChat, always
from glossator.agents.trace.trace import StepTrace
from glossator.probes.token_effects import TokenEffects
from glossator.records import (
    Belief,
    Expectation,
    Experiment,
    ExperimentKind,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Outcome,
    Split,
    TokenEffect,
    TraceEvent,
    TraceKind,
    TriedText,
    Window,
    WordIn,
)
from tests.agents.planted_index import room_of

REF = FeatureRef(subject="s", dictionary="d", index=3)
T = TypeVar("T")


def window(*tokens: str, peak: int = 1) -> Window:
    activations = tuple(1.0 if i == peak else 0.0 for i in range(len(tokens)))
    return Window(
        document="d", split=Split.EXPLORE, start=0, tokens=tokens, activations=activations, peak=peak
    )


def observed(n: int = 30) -> Observed:
    windows = tuple(window("the", " ship", f" number{i}") for i in range(n))
    effects = TokenEffects((TokenEffect(token=" sail", effect=2.0),), ())
    shown = FeatureEvidence(
        0.01, 90, 1.0, Histogram((), ()), windows, (window("the", " house"),), effects, ()
    )
    return Observed(REF, shown, 0.3)


def hypothesis(text: str) -> Hypothesis:
    return Hypothesis.of(REF, text, None, author="me", origin=HypothesisOrigin.PROPOSED)


SEA, SHIPS = hypothesis("the sea"), hypothesis("ships")


def standing(*tried: TriedText, round: int = 1) -> Standing:
    beliefs = tuple(Belief(hypothesis=h.id, probability=0.4, log_odds=0.0, n=0) for h in (SEA, SHIPS))
    experiment = Experiment(hypothesis=SEA.id, kind=ExperimentKind.TEXTS, tested=tried, threshold=0.3)
    return Standing((SEA, SHIPS), beliefs, (experiment,) if tried else (), round)


def tried(text: str, expected: Expectation, outcome: Outcome) -> TriedText:
    return TriedText(text=text, expected=expected, activation=0.0, quantile=0.0, outcome=outcome)


class Kept(list[TraceEvent]):
    """A trace that keeps its events."""

    def write(self, event: TraceEvent) -> None:
        self.append(event)


def said(script: Script | ScriptedChat) -> tuple[LlmProposer, ScriptedChat]:
    chat = script if isinstance(script, ScriptedChat) else ScriptedChat(script)
    return LlmProposer(room_of(chat)[0]), chat


def run(work: Coroutine[Any, Any, T], kept: Kept | None = None) -> T:
    with tracing(StepTrace(kept if kept is not None else Kept(), "step")):  # type: ignore[arg-type]
        return asyncio.run(work)


def last(chat: ScriptedChat) -> str:
    return chat.requests[-1].messages[-1].content


def test_claims_are_read_with_their_predicates() -> None:
    answer = {
        "hypotheses": [
            {"label": '"The feature fires on ships."', "predicate": {"kind": "word_in", "words": ["ship"]}},
            {"label": "the sea", "predicate": "exec('x')"},
            {"label": "I'm sorry, I cannot do that", "predicate": ""},
            {"label": "windows: 1|the ship|1"},
            {"label": "one too many", "predicate": None},
        ]
    }
    proposer, chat = said(always(f"Sure!\n```json\n{json.dumps(answer)}\n```"))
    kept = Kept()
    found = run(proposer.hypotheses(observed(), 4), kept)
    assert found == (Proposal("ships", WordIn(words=("ship",))), Proposal("the sea", None))
    assert proposer.author == "investigator:scripted"
    assert [e.kind for e in kept] == [TraceKind.PROMPT, TraceKind.REPLY, TraceKind.TOOL_ERROR]
    assert kept[2].payload == {"reasons": {"invalid predicate": 1, "refusal": 1, "format leak": 1}}
    assert kept[1].spent is not None
    assert kept[1].spent.calls == 1
    assert 'likelier|" sail"|likelier' in last(chat)
    assert "S1|the house|S1" in last(chat)


def test_tests_name_a_hypothesis_and_predict() -> None:
    tests = [
        {"hypothesis": 2, "text": "a ship", "fires": "true", "why": "x" * 500},
        {"hypothesis": "1", "text": "a house", "fires": 0},
        {"hypothesis": 3, "text": "no such claim", "fires": True, "why": ""},
    ]
    proposer, chat = said(always(json.dumps({"tests": tests, "comment": "done"})))
    first, second = run(proposer.tests(observed(), standing(), 12))
    assert (first.hypothesis, second.hypothesis) == (SEA.id, SHIPS.id)
    assert first.tests[0].expected is Expectation.SILENT
    assert second.tests[0].expected is Expectation.FIRES
    assert len(second.tests[0].why) <= 120
    assert "H1|the sea|H1\nH2|ships|H2" in last(chat)


@pytest.mark.parametrize(
    "reply",
    [
        '{"tests": [{"hypothesis": 1, "text": "a ship"}]}',
        '{"tests": [{"hypothesis": 1, "fires": true}]}',
        '{"tests": "none"}',
        "No.",
        "",
    ],
)
def test_a_text_without_a_prediction_is_no_test(reply: str) -> None:
    proposer, chat = said(always(reply))
    kept = Kept()
    assert run(proposer.tests(observed(), standing(), 12), kept) == ()
    assert kept[-1].kind is TraceKind.REPLY
    assert kept[-1].spent is not None
    assert kept[-1].spent.unscored
    assert len(chat.requests) <= 2


def test_challenges_are_pairs_and_edges() -> None:
    answer = {
        "pairs": [{"fires": "a ship", "silent": "a shop", "why": "one letter"}] * 2,
        "edges": [{"text": f"edge {i}", "fires": False, "why": ""} for i in range(9)],
    }
    proposer, chat = said(always(json.dumps(answer)))
    pairs, edges = run(proposer.challenges(observed(), standing(), 8))
    assert (pairs.kind, edges.kind) == (ExperimentKind.MINIMAL_PAIRS, ExperimentKind.BOUNDARY)
    assert [t.pair for t in pairs.tests] == [0, 0, 1, 1]
    assert len(edges.tests) == 4
    assert pairs.hypothesis == edges.hypothesis == SEA.id
    assert "C|the sea|C\nRivals:\nR1|ships|R1" in last(chat)


def test_mistakes_are_shown_to_be_corrected() -> None:
    wrong = tried("an old|T1 ship", Expectation.SILENT, Outcome.FIRES)
    right = tried("a house", Expectation.SILENT, Outcome.SILENT)
    proposer, chat = said(always('{"hypotheses": [{"label": "all of the sea", "predicate": ""}]}'))
    found = run(proposer.refine(observed(), standing(wrong, right), 4))
    assert found == (Proposal("all of the sea", None),)
    assert "M1|predicted silent, fired: an old" in last(chat)
    assert "T1|was silent: a house|T1" in last(chat)
    assert "old|T1" not in last(chat)


def test_less_is_shown_where_the_context_is_small() -> None:
    proposer, chat = said(ScriptedChat(always('{"tests": []}'), context=1195))
    assert run(proposer.tests(observed(), standing(), 12)) == []
    shown = [m.content.count("|the<<") for r in chat.requests for m in r.messages[-1:]]
    assert len(shown) > 1
    assert shown[0] > shown[-1] > 0


def test_a_cut_answer_is_asked_for_with_more_room() -> None:
    chat = ScriptedChat(lambda asked: Scripted('{"tests": [', finish=Finish.LENGTH))
    proposer, _ = said(chat)
    assert run(proposer.tests(observed(), standing(), 12)) == ()
    assert chat.requests[-1].max_tokens == THINKING_TOKENS


def test_nothing_is_asked_where_there_is_nothing_to_show() -> None:
    proposer, chat = said(always("{}"))
    nothing = Standing((), (), (), 0)
    assert run(proposer.hypotheses(observed(0), 4)) == ()
    assert run(proposer.tests(observed(), nothing, 4)) == ()
    assert run(proposer.challenges(observed(), nothing, 4)) == ()
    assert not chat.requests


def test_a_round_without_texts_is_asked_anew() -> None:
    """The same question at temperature 0 would have the same answer."""
    proposer, chat = said(always('{"tests": []}'))
    run(proposer.tests(observed(), standing(round=0), 4))
    run(proposer.tests(observed(), standing(round=1), 4))
    assert [(r.sample, r.temperature > 0) for r in chat.requests] == [(0, False), (1, True)]
