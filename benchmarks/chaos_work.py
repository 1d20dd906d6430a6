"""Cheap work on features through everything that a real run uses, and the process that does it.

Each feature asks three questions of the scripted model through the call room, with a budget that is drawn
from the run, and gets a card that says what was answered. What the card must say is known beforehand.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import NamedTuple

from benchmarks.chaos_endpoint import ChaosEndpoint, question_of, scripted_answer
from glossator.agents.llm_calls.budget import Charge, Limits
from glossator.agents.llm_calls.call_room import REASK_SAMPLE, REASK_TEMPERATURE, CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored, UnscoredReason
from glossator.agents.llm_calls.drawn_budget import DrawnBudget
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.worker import RunWorker, WorkerTimes
from glossator.memory.call_store import CallStore
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.memory.work_queue import Ended, Lease
from glossator.prompts.rendered_prompt import ChatMessage, RenderedPrompt
from glossator.records import (
    Evidence,
    EvidenceKind,
    Explanation,
    FeatureCard,
    FeatureRef,
    ItemState,
    PromptRef,
    TokenIn,
    Verdict,
    VerdictKind,
)

QUESTIONS = 3
SLOTS = 16
"""Requests in flight at once, of one worker."""
PORTION = Amount(calls=40)
"""What a worker draws beyond what it needs: what a kill costs of the budget at most, besides its calls."""
_REF = PromptRef(name="chaos", version=1, sha256="0" * 64)
_RETRY = RetryPolicy(
    attempts=8, timeouts=6, first_wait=0.02, longest_wait=0.2, patience=60.0, first_probe=0.1,
    longest_probe=0.4,
)  # fmt: skip


class WorkerOrder(NamedTuple):
    """What a worker process is started with."""

    place: str
    """Of the ledger."""
    run: str
    port: int
    """Of the scripted model."""
    calls: int
    """The run's budget."""
    lease: float
    """Seconds."""


class ChaosWork:
    """Three questions a feature. For one event loop."""

    def __init__(self, room: CallRoom, budget: DrawnBudget) -> None:
        self._room, self._budget = room, budget

    def wanted(self, in_work: int) -> int:
        """Enough that no slot stands idle."""
        return max(0, SLOTS - in_work)

    async def do(self, lease: Lease, variant: int) -> Ended:
        """A card of what was answered."""
        asks = (self._ask(lease.feature, number) for number in range(QUESTIONS))
        said = await asyncio.gather(*asks)
        made, evidence = card_of(lease.feature, list(said))
        return Ended(lease, ItemState.DONE, made, (evidence,), variant=variant, verdict="accepted", value=0.5)

    def spent(self) -> Amount:
        """Of the room's budget: failed requests are calls too."""
        return Amount(*self._budget.spent)

    def load(self) -> WorkLoad:
        """Of the room's slots."""
        load = self._room.load
        return WorkLoad(load.limit, load.in_flight, load.waiting, load.busy_share, self._room.outage)

    async def close(self) -> None:
        """Let go of the ledger's answers."""
        await self._room.close()

    async def _ask(self, feature: FeatureRef, number: int) -> str:
        prompt = RenderedPrompt((ChatMessage("user", text_of(feature, number)),), _REF)
        call = Call(prompt=prompt, role=Role.SCORER, max_tokens=4, likely="1")
        answer = await self._room.ask(call, _read)
        return answer.reason.value if isinstance(answer, Unscored) else answer


def text_of(feature: FeatureRef, number: int) -> str:
    """A question on `feature`."""
    return f"{feature} {number}"


class Expected(NamedTuple):
    """What a question comes to."""

    answer: str
    calls: int
    """Answers that must be paid for it."""


def expected(feature: FeatureRef, number: int, malformed: float) -> Expected:
    """By the script: rubbish is asked for once more."""
    text = text_of(feature, number)
    again = ((0, 0.0), (REASK_SAMPLE, REASK_TEMPERATURE))
    for calls, (sample, temperature) in enumerate(again, start=1):
        said = scripted_answer(question_of(text, sample, temperature), malformed)
        if said in ("0", "1"):
            return Expected(said, calls)
    return Expected(UnscoredReason.MALFORMED.value, len(again))


def card_of(feature: FeatureRef, answers: list[str]) -> tuple[FeatureCard, Evidence]:
    """The card of a feature whose questions were answered like this."""
    evidence = Evidence.of(feature, EvidenceKind.STATISTICS, {"seed": 0}, {"answers": list(answers)})
    claim = Explanation.of(feature, "chaos/1", " ".join(answers), TokenIn(tokens=(" cat",)))
    made = FeatureCard(
        feature=feature, explanation=claim, verdict=Verdict(kind=VerdictKind.ACCEPTED, reason="by rule"),
        scores=(), density=0.01, n_firings=7, max_activation=2.0, histogram_edges=(1.0, 2.0),
        histogram_counts=(7,), promoted=(), suppressed=(), windows=(), silent_windows=(), neighbours=(),
        evidence=(evidence.id,), index_identity="i" * 64,
    )  # fmt: skip
    return made, evidence


def work_on(order: WorkerOrder) -> None:
    """One worker process, from its beginning to the run's end, or its own."""
    with Ledger.open(order.place) as ledger:
        asyncio.run(_work_on(ledger, order))


async def _work_on(ledger: Ledger, order: WorkerOrder) -> None:
    workers, host, process = RunWorkers(ledger, order.run), socket.gethostname(), os.getpid()
    workers.reap(is_gone)
    worker = workers.begin(host, process, order.lease)
    ceiling = Ceiling(calls=order.calls)

    def draw(spent: Charge, needed: Charge) -> Limits | None:
        granted = workers.draw(worker, ceiling, Amount(*spent), Amount(*needed), PORTION)
        return None if granted is None else Limits(calls=granted.calls)

    budget = DrawnBudget(draw, Limits(calls=order.calls))
    room = CallRoom(
        {Role.SCORER: ChaosEndpoint(order.port)}, budget=budget,
        store=CallStore(ledger), slots=SLOTS, counter=TokenCounter(), prices=Prices("0/0"), run=order.run,
        retry=_RETRY, environment={},
    )  # fmt: skip
    times = WorkerTimes(lease=order.lease, beat=order.lease / 5, look=0.2, tick=0.02)
    await RunWorker(
        LabellingRunStore(ledger), order.run, ChaosWork(room, budget), host=host, process=process,
        worker=worker, times=times, gone=is_gone,
    ).work()  # fmt: skip


def is_gone(host: str, process: int) -> bool:
    """Whether a process of this machine is not there any more."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def _read(reply: ChatReply) -> str | Unscored:
    return reply.text if reply.text in ("0", "1") else Unscored(UnscoredReason.MALFORMED)
