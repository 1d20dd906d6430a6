"""A few made-up tools, a ledger with a trace, and models that follow a list of actions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Capabilities, Role, ToolCall
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, ScriptedChat
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.orchestrator.limits import OrchestratorLimits
from glossator.agents.orchestrator.loop import answer_request
from glossator.agents.orchestrator.native_planner import NativePlanner
from glossator.agents.orchestrator.planner import Planner
from glossator.agents.orchestrator.rule_planner import RulePlanner
from glossator.agents.orchestrator.schema_planner import SchemaPlanner
from glossator.agents.orchestrator.situation import Exchange
from glossator.agents.orchestrator.surroundings import Surroundings
from glossator.agents.tools.tool import Catalogue, Fact, Tool, ToolResult
from glossator.agents.trace.trace import Listener, Trace
from glossator.errors import ToolError
from glossator.memory.call_store import CallStore
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    Answer,
    DictionaryEvidence,
    EvidenceKind,
    FeatureNames,
    Finding,
    FindingKind,
    PlannerKind,
    Record,
    TraceEvent,
)

NAMES = FeatureNames("tiny", "dictionary")
TOOLS = Capabilities(schema=True, logprobs=True, tools=True)


class Searched(Record):
    text: str = Field(min_length=1)
    """What the features should be about."""


class OneFeature(Record):
    feature: int
    """The feature's number."""


def measured(features: Sequence[int], *texts: str) -> ToolResult:
    """Facts in these words, of these features, all on one piece of evidence."""
    evidence = DictionaryEvidence.of(
        NAMES, tuple(features), EvidenceKind.SEARCH, {"tool": "made up"}, {"texts": list(texts)}
    )
    return ToolResult(
        tuple(Fact(text, evidence.id, tuple(features)) for text in texts), (evidence,), "3 more: page 2"
    )


@dataclass
class MadeTools:
    """`search_by_meaning`, `feature_card`, `steer` (which cannot) and what was called."""

    called: list[str] = field(default_factory=lambda: [])
    said: str = "feature 812 is labelled legal terms, and fires on 0.42 % of tokens"

    def catalogue(self) -> Catalogue:
        """The tools by name."""
        tools = [
            Tool[Any]("search_by_meaning", "Features by meaning.", Searched, self._search),
            Tool[Any]("feature_card", "What is known of a feature.", OneFeature, self._card),
            Tool[Any]("steer", "Turn a feature up.", OneFeature, self._steer, slow=True),
        ]
        return {tool.name: tool for tool in tools}

    async def _search(self, given: Searched) -> ToolResult:
        self.called.append(f"search {given.text}")
        found = measured((812, 1207), self.said, "feature 1207 fires on 120 tokens")
        learnt = Finding.of(
            *NAMES, (812,), FindingKind.MEANING, "legal terms", evidence=(found.evidence[0].id,)
        )
        return found._replace(findings=(learnt,))

    async def _card(self, given: OneFeature) -> ToolResult:
        self.called.append(f"card {given.feature}")
        if given.feature > 2000:
            raise ToolError(f"there is no feature {given.feature}: the dictionary has 2000")
        return measured((given.feature,), f"feature {given.feature} is not labelled")

    async def _steer(self, given: OneFeature) -> ToolResult:
        raise ToolError("this subject cannot be steered")


def act(tool: str, **arguments: Any) -> str:
    """A reply that calls a tool, in the form of schema mode."""
    return json.dumps(
        {"thought": "", "tool": tool, "arguments": json.dumps(arguments), "claims": [], "enough": False}
    )


def reply(*claims: tuple[str, Sequence[str]], enough: bool = True) -> str:
    """A reply that answers, in the form of schema mode."""
    listed = [{"text": text, "facts": list(facts)} for text, facts in claims]
    return json.dumps({"thought": "", "tool": "answer", "arguments": "", "claims": listed, "enough": enough})


def spoken(asked: Asked, text: str) -> Scripted:
    """`text` as it is, or, where tools are offered, the call that it says."""
    if not asked.request.tools:
        return Scripted(text)
    try:
        said: Mapping[str, Any] = json.loads(text)
    except ValueError:
        return Scripted(text)
    if said["tool"] != "answer":
        return Scripted("", tool_calls=(ToolCall(said["tool"], said["arguments"]),))
    given = json.dumps({"claims": said["claims"], "enough": said["enough"]})
    return Scripted("", tool_calls=(ToolCall("answer", given),))


def following(*replies: str) -> Script:
    """A model that gives these replies in order, one for each call that was made so far; then the last."""

    def script(asked: Asked) -> Scripted:
        done = sum(
            line.startswith("S") and ("failed:" in line or "evidence" in line)
            for line in asked.question.splitlines()
        )
        return spoken(asked, replies[min(done, len(replies) - 1)])

    return script


@dataclass
class Desk:
    """A ledger with one investigation, and what was heard of it."""

    ledger: Ledger
    investigation: str
    run: str
    tools: MadeTools = field(default_factory=MadeTools)
    heard: list[TraceEvent] = field(default_factory=lambda: [])

    @property
    def store(self) -> InvestigationStore:
        """Its investigations."""
        return InvestigationStore(self.ledger)

    def trace(self, *listeners: Listener) -> Trace:
        """A trace of the investigation."""
        return Trace(self.store, self.investigation, self.run, (self.heard.append, *listeners))

    def room(self, chat: ScriptedChat, limits: str = "") -> CallRoom:
        """A call room in which `chat` plans."""
        return CallRoom(
            {Role.INVESTIGATOR: chat},
            budget=Budget(Limits.parse(limits) if limits else None),
            store=CallStore(self.ledger),
            slots=1,
            counter=TokenCounter(),
            prices=Prices("1/1"),
            run=self.run,
            environment={},
        )

    def ask(
        self,
        request: str,
        chat: ScriptedChat | None = None,
        *,
        kind: PlannerKind = PlannerKind.SCHEMA,
        limits: OrchestratorLimits | None = None,
        budget: str = "",
        conversation: Sequence[Exchange] = (),
        stop: Callable[[], bool] = lambda: False,
        catalogue: Catalogue | None = None,
        listeners: Sequence[Listener] = (),
        planner: Planner | None = None,
        fallback: Planner | None = None,
    ) -> Answer:
        """The answer to one request; without a model, by rules."""

        async def asked() -> Answer:
            room = None if chat is None else self.room(chat, budget)
            memory = FindingStore(self.ledger)
            around = Surroundings(calls=room, memory=memory, stop=stop, fallback=fallback)
            try:
                return await answer_request(
                    request,
                    planner or planner_of(kind, room),
                    catalogue or self.tools.catalogue(),
                    self.trace(*listeners),
                    limits,
                    conversation=conversation,
                    around=around,
                )
            finally:
                if room is not None:
                    await room.close()

        return asyncio.run(asked())


def planner_of(kind: PlannerKind, room: CallRoom | None) -> Planner:
    """The planner of one kind."""
    if room is None:
        return RulePlanner()
    return NativePlanner(room) if kind is PlannerKind.NATIVE else SchemaPlanner(room)


@contextmanager
def desk(folder: Path) -> Generator[Desk]:
    """A desk over a new ledger in `folder`."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        run = ledger.start_run("ask", {})
        yield Desk(ledger, InvestigationStore(ledger).start("request", NAMES, "?", {}), run)
