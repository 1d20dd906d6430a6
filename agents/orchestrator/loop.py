"""The one loop behind every request: the planner decides, code runs the tool and checks the answer.

Resuming is running again under the same investigation: prompts come out the same, so answers are found in
the ledger by the hash of the question, tools compute the same, and events are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from glossator.agents.orchestrator.action import CallTool, DraftAnswer, Move, NoMove
from glossator.agents.orchestrator.answering import Ending, finished_answer
from glossator.agents.orchestrator.limits import OrchestratorLimits
from glossator.agents.orchestrator.planner import Planner
from glossator.agents.orchestrator.situation import Exchange, Gathered, Situation
from glossator.agents.orchestrator.surroundings import Surroundings
from glossator.agents.orchestrator.tool_use import use_tool
from glossator.agents.tools.tool import Catalogue
from glossator.agents.trace.trace import Trace
from glossator.errors import BudgetSpent
from glossator.records import Answer, LlmSpending, TraceKind

if TYPE_CHECKING:
    from glossator.agents.llm_calls.call_room import CallRoom
else:
    CallRoom = Any

STOPPED = "stopped by the researcher"
_AGAIN = "this call was made before, and its facts stand above: make another one, or answer"


async def answer_request(
    request: str,
    planner: Planner,
    catalogue: Catalogue,
    trace: Trace,
    limits: OrchestratorLimits | None = None,
    *,
    conversation: Sequence[Exchange] = (),
    around: Surroundings | None = None,
) -> Answer:
    """Answer one request.

    Args:
        request: what is asked, in words.
        planner: who chooses tools.
        catalogue: the tools.
        trace: where events and evidence go.
        limits: what it may take.
        conversation: earlier exchanges, oldest first.
        around: budget, memory, contradiction check, a way to stop it.

    Raises:
        EndpointError, ModelAccessError: the planner's model cannot be asked; the request can be resumed.
        StorageError: the ledger cannot be read or written.

    """
    loop = _RequestLoop(request, planner, catalogue, trace, limits or OrchestratorLimits(), conversation)
    return await loop.run(around or Surroundings())


class _RequestLoop:
    def __init__(
        self,
        request: str,
        planner: Planner,
        catalogue: Catalogue,
        trace: Trace,
        limits: OrchestratorLimits,
        conversation: Sequence[Exchange],
    ) -> None:
        self._request, self._planner, self._catalogue = request, planner, catalogue
        self._trace, self._limits, self._conversation = trace, limits, tuple(conversation)
        self._gathered: list[Gathered] = []
        self._calls = self._misses = self._steps = 0
        self._stopped, self._handed_over = "", ""
        self._kind = planner.kind
        self._fallback: Planner | None = None

    async def run(self, around: Surroundings) -> Answer:
        began, self._fallback = around.clock(), around.fallback
        self._begin()
        try:
            with _metered(around.calls) as meter:
                draft = await self._plan(around, began)
            spent = LlmSpending() if meter is None else meter.spending
        except BaseException as error:
            # A kill of the process writes nothing, which means the same: unfinished, can be resumed.
            self._fail(error)
            raise
        if draft is not None and self._handed_over:
            draft = draft._replace(remarks=(self._handed_over, *draft.remarks))
        ending = Ending(self._kind, self._stopped, spent, around.clock() - began)
        return await finished_answer(self._situation(), draft, ending, self._trace, around)

    def _begin(self) -> None:
        with self._trace.at("request", told_at_once=False) as events:
            payload = {"request": self._request, "planner": self._planner.kind.value}
            events.add(TraceKind.STARTED, self._request, {**payload, "tools": list(self._catalogue)})

    async def _plan(self, around: Surroundings, began: float) -> DraftAnswer | None:
        """The planner's answer; None where a limit came first."""
        while not self._stopped:
            self._steps += 1
            if around.stop():
                self._limit(STOPPED)
            elif around.clock() - began > self._limits.seconds:
                self._limit(f"time limit: {self._limits.seconds:g} s")
            elif self._steps > self._limits.steps:
                self._limit(f"step limit: {self._limits.steps} steps")
            else:
                try:
                    draft = await self._step(around)
                except BudgetSpent as spent:
                    self._limit(str(spent))
                    continue
                if draft is not None:
                    return draft
        return None

    async def _step(self, around: Surroundings) -> DraftAnswer | None:
        with self._trace.at(f"plan-{self._steps}", told_at_once=False) as events:
            move = await self._planner.decide(self._situation(), events)
        if isinstance(move, NoMove):
            self._gathered.append(Gathered(None, None, move.reason))
            self._missed(f"the planner gave no usable reply: {move.reason}")
            return None
        if move.answer is not None:
            return move.answer
        await self._use(move, around)
        return None

    async def _use(self, move: Move, around: Surroundings) -> None:
        fresh = 0
        for n, call in enumerate(move.calls):
            if self._made_before(call):
                self._gathered.append(Gathered(call, None, _AGAIN))
                continue
            if self._calls >= self._limits.tool_calls or around.stop():
                break
            self._calls += 1
            fresh += 1
            with self._trace.at(f"tool-{self._steps}-{n}", told_at_once=False) as events:
                self._gathered.append(await use_tool(call, self._catalogue, self._trace, events))
            self._remember(around)
        self._misses = 0 if fresh else self._misses
        if not fresh:
            self._missed("the planner made the same calls again")

    def _remember(self, around: Surroundings) -> None:
        result = self._gathered[-1].result
        if result is not None and result.findings and around.memory is not None:
            around.memory.add(self._trace.investigation, result.findings)

    def _made_before(self, call: CallTool) -> bool:
        return any(step.call == call for step in self._gathered)

    def _missed(self, why: str) -> None:
        self._misses += 1
        if self._misses <= self._limits.misses:
            return
        if self._fallback is None:
            self._limit(why)
            return
        self._handed_over = f"{why}: another planner ({self._fallback.kind.value}) went on from there"
        with self._trace.at(f"handed-over-{self._steps}", told_at_once=False) as events:
            events.add(TraceKind.LIMIT, self._handed_over)
        self._planner, self._fallback, self._misses = self._fallback, None, 0

    def _limit(self, words: str) -> None:
        self._stopped = words
        with self._trace.at(f"limit-{self._steps}", told_at_once=False) as events:
            events.add(TraceKind.LIMIT, words)

    def _fail(self, error: BaseException) -> None:
        with self._trace.at(f"failed-{self._steps}", told_at_once=False) as events:
            events.add(TraceKind.FAILED, f"{type(error).__name__}: {error}")

    def _situation(self) -> Situation:
        left = min(self._limits.tool_calls - self._calls, self._limits.steps - self._steps)
        return Situation(
            self._request, self._catalogue, tuple(self._gathered), self._conversation, max(0, left)
        )


def _metered(calls: CallRoom | None) -> AbstractContextManager[Any]:
    return nullcontext() if calls is None else calls.meter()
