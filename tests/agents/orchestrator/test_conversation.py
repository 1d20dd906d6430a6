"""Chats and continued requests, delegation, and contradictions shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from glossator.agents.orchestrator.conversation import ChatSession, earlier_exchanges, stored_answer
from glossator.agents.orchestrator.delegate import InvestigateAsked, investigate_tool
from glossator.agents.orchestrator.loop import answer_request
from glossator.agents.orchestrator.rule_planner import RulePlanner
from glossator.agents.orchestrator.surroundings import Surroundings
from glossator.agents.tools.tool import AnyTool, ToolResult
from glossator.errors import ToolError, UnknownNameError
from glossator.records import (
    Answer,
    Belief,
    Contradiction,
    ExceptionRegion,
    Explanation,
    Facet,
    FeatureInvestigation,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    LlmSpending,
    StopReason,
    TokenIn,
    TraceEvent,
    TraceKind,
    Verdict,
    VerdictKind,
)
from tests.agents.orchestrator.request_fixtures import NAMES, Desk, desk


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


def chat_over(at: Desk, continues: str = "") -> ChatSession:
    """A chat whose requests are answered by rules, each as an investigation of its own."""

    async def asks(request: str, continues: str, stop: Callable[[], bool]) -> Answer:
        at.investigation = at.store.start("request", NAMES, request, {}, continues=continues)
        return await answer_request(
            request,
            RulePlanner(),
            at.tools.catalogue(),
            at.trace(),
            conversation=earlier_exchanges(at.store, continues),
            around=Surroundings(stop=stop),
        )

    return ChatSession(asks, continues)


def test_a_chat_goes_on_from_answer_to_answer(at: Desk) -> None:
    chat = chat_over(at)
    first = asyncio.run(chat.ask("what does feature 812 fire on?"))
    second = asyncio.run(chat.ask("and what happens when you turn it up?"))
    assert second.tried == ("steer(feature=812): this subject cannot be steered",), "it is feature 812"
    assert not second.enough
    assert at.store.find(second.investigation).continues == first.investigation
    exchanges = earlier_exchanges(at.store, second.investigation)
    assert [e.request for e in exchanges] == [first.request, second.request]
    assert [c.evidence for c in chat.evidence()] == list(first.claims[0].evidence)
    assert chat.spending == LlmSpending()
    again = chat_over(at, second.investigation)
    third = asyncio.run(again.ask("tell me about feature 3"))
    assert len(earlier_exchanges(at.store, third.investigation)) == 3


def test_stopping_ends_the_running_request_alone(at: Desk) -> None:
    chat = chat_over(at)

    def listener(event: TraceEvent) -> None:
        if event.kind is TraceKind.TOOL_RESULT:
            chat.stop()

    trace = at.trace
    at.trace = lambda *more: trace(listener, *more)  # type: ignore[method-assign]
    first = asyncio.run(chat.ask("compare feature 1, tell me about features 2, 3 and 4"))
    assert first.stopped == "stopped by the researcher"
    assert len(first.tried) == 1
    second = asyncio.run(chat.ask("weather?"))
    assert not second.stopped


def test_only_requests_are_continued(at: Desk) -> None:
    feature = at.store.start("feature", NAMES, "t/d/3", {})
    with pytest.raises(UnknownNameError, match="only requests"):
        earlier_exchanges(at.store, feature)
    assert earlier_exchanges(at.store, "") == ()
    assert stored_answer(at.store, feature) is None


class Denies:
    """Finds that whatever is said contradicts itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[int], Sequence[str]]] = []

    async def of(self, features: Sequence[int], texts: Sequence[str]) -> tuple[Contradiction, ...]:
        self.asked.append((features, texts))
        return (Contradiction(first="f-1", second="f-2", words="812 is said to be two things"),)


def test_contradictions_with_what_is_stored_are_shown(at: Desk) -> None:
    denies = Denies()
    answer = asyncio.run(
        answer_request(
            "what is feature 812?",
            RulePlanner(),
            at.tools.catalogue(),
            at.trace(),
            around=Surroundings(contradictions=denies),
        )
    )
    assert denies.asked == [([812], ["feature 812 is not labelled"])]
    assert answer.contradictions[0].words == "812 is said to be two things"
    assert any("contradiction" in e.words for e in at.heard)


def investigated(evidence: tuple[str, ...] = ("e-000000000001", "e-000000000002")) -> FeatureInvestigation:
    ref = FeatureRef(subject=NAMES.subject, dictionary=NAMES.dictionary, index=3)
    law = Hypothesis.of(ref, "legal terms", None, author="a", origin=HypothesisOrigin.PROPOSED)
    sea = Hypothesis.of(ref, "words of the sea", None, author="a", origin=HypothesisOrigin.PROPOSED)
    belief = Belief(hypothesis=law.id, probability=0.9, log_odds=2.0, n=12)
    return FeatureInvestigation(
        id="i-0", feature=ref, proposer="a", explanation=Explanation.of(ref, "a", "legal terms", None),
        verdict=Verdict(kind=VerdictKind.ACCEPTED, reason="F1 0.91"), hypotheses=(law, sea),
        beliefs=(belief,), refuted=(sea.id,), experiments=evidence[1:], evidence=evidence,
        f1=0.91, baseline_f1=0.8,
        facets=(Facet(hypothesis=law.id, text="courts", share=0.4, precision=0.9),),
        exceptions=(ExceptionRegion(text="in names", predicate=TokenIn(tokens=("Law",)), n=4),),
        stopped=StopReason.DECIDED, seconds=1.0,
    )  # fmt: skip


def run(tool: AnyTool, feature: int) -> ToolResult:
    async def ran() -> ToolResult:
        return await tool.run(InvestigateAsked(feature=feature))

    return asyncio.run(ran())


def test_features_are_delegated_and_come_back_as_facts() -> None:
    asked: list[int] = []

    async def investigate(feature: int) -> FeatureInvestigation:
        asked.append(feature)
        return investigated()

    tool = investigate_tool(investigate, 10)
    result = run(tool, 3)
    said = "\n".join(f.text for f in result.facts)
    assert 'feature 3 was investigated: "legal terms", accepted: F1 0.91' in said
    assert "0.91, the one-shot label's is 0.80" in said
    assert '"courts" covers 40%' in said
    assert 'silent although its label would hold: "in names" (n = 4)' in said
    assert 'does not mean "words of the sea": experiments refuted it' in said
    assert {f.evidence for f in result.facts} == {"e-000000000001", "e-000000000002"}
    with pytest.raises(ToolError, match="0 to 9"):
        run(tool, 10)
    assert asked == [3]


def test_an_investigation_without_evidence_is_no_fact() -> None:
    async def investigate(feature: int) -> FeatureInvestigation:
        return investigated(evidence=())

    with pytest.raises(ToolError, match="measured nothing"):
        run(investigate_tool(investigate, 10), 3)
