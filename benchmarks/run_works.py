"""Works of labelling runs that benchmarks time: ready cards, labels to be scored, questions to be asked."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from benchmarks.run_fixtures import PLANTED, UnaskedWork, ref, renamed, words_of
from glossator.agents.embedded_analyst.analyst import AnalystReport
from glossator.agents.feature_preparation import FeaturePreparation, LabelledFeature
from glossator.agents.labelling import FeatureLabeller
from glossator.agents.llm_calls.budget import Budget
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatEndpoint, ChatReply, Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.run_work.item_work import ItemWork, WorkLoad
from glossator.agents.run_work.label_end import ended_with
from glossator.agents.run_work.label_work import load_of
from glossator.agents.scorers import score_explanation
from glossator.agents.verdict import decide
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease
from glossator.prompts.rendered_prompt import ChatMessage, RenderedPrompt
from glossator.records import Explanation, PromptRef, TokenIn

QUESTIONS = 4
"""That `AskingWork` asks of each feature."""
_REF = PromptRef(name="detection_one", version=1, sha256="0" * 64)


class ReadyWork(UnaskedWork):
    """Every feature has its card at once: what is left is the queue, the worker and the ledger."""

    def __init__(self, preparation: FeaturePreparation) -> None:
        labeller = FeatureLabeller(preparation)
        self._made = labeller.label_one(0, labeller.explained((0, 1, 2)))

    async def do(self, lease: Lease, variant: int) -> Ended:
        """The one card, under this feature's name."""
        return renamed(ended_with(lease, variant, self._made), lease)


class ScoredWork(UnaskedWork):
    """Labels that are there already, as imported ones are, scored by the predicate on one thread."""

    def __init__(self, preparation: FeaturePreparation) -> None:
        self._preparation = preparation
        self._others = [_label(i) for i in (0, 1, 2)]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="glossator-measure")

    async def do(self, lease: Lease, variant: int) -> Ended:
        """Score one label when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._scored, lease, variant)

    async def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown()

    def made(self, number: int) -> LabelledFeature:
        """The card of a feature whose label is there already."""
        preparation, label = self._preparation, _label(number % PLANTED)
        room, feature = preparation.room, label.feature
        given = preparation.prepare(feature, AnalystReport(feature, label, "given", (), (), None))
        scored = score_explanation(room, label, self._others, neighbours=given.neighbours)
        verdict = decide(room.facts(feature), label, scored.scores)
        evidence = (*given.shown.evidence, *scored.evidence)
        return LabelledFeature(preparation.card(given, label, scored.scores, evidence, verdict), evidence)

    def _scored(self, lease: Lease, variant: int) -> Ended:
        return renamed(ended_with(lease, variant, self.made(lease.feature.index)), lease)


class RenamedWork:
    """Another work over the planted features, for runs with more features than there are."""

    def __init__(self, work: ItemWork) -> None:
        self._work = work
        self.wanted, self.spent, self.load, self.close = work.wanted, work.spent, work.load, work.close

    async def do(self, lease: Lease, variant: int) -> Ended:
        """Do the planted feature that stands for this one."""
        planted = lease._replace(feature=ref(lease.feature.index % PLANTED))
        return renamed(await self._work.do(planted, variant), lease)


class AskingWork(UnaskedWork):
    """A few questions of each feature, through a call room, besides its score by the predicate."""

    def __init__(self, scored: ScoredWork, endpoint: ChatEndpoint, ledger: Ledger, slots: int = 16) -> None:
        self._scored, self._budget = scored, Budget()
        self._calls = CallRoom(
            {Role.SCORER: endpoint},
            budget=self._budget,
            store=CallStore(ledger),
            slots=slots,
            counter=TokenCounter(),
            prices=Prices("1/1"),
            run="benchmark",
        )

    async def do(self, lease: Lease, variant: int) -> Ended:
        """Ask about one feature, and score it."""
        with self._calls.meter() as meter:
            await asyncio.gather(*(self._ask(lease.feature.index, i) for i in range(QUESTIONS)))
        ended = await self._scored.do(lease, variant)
        return ended._replace(spending=meter.spending)

    async def _ask(self, feature: int, number: int) -> None:
        said = (ChatMessage("system", "Answer 1 or 0."), ChatMessage("user", f"1|{feature}, {number}|1"))
        call = Call(prompt=RenderedPrompt(said, _REF), role=Role.SCORER, max_tokens=4, likely="1")
        await self._calls.ask(call, _read)

    def spent(self) -> Amount:
        """What the room spent."""
        return Amount(*self._budget.spent)

    def load(self) -> WorkLoad:
        """What the room does."""
        return load_of(self._calls)

    async def close(self) -> None:
        """Let go of the room and the thread."""
        await self._calls.close()
        await self._scored.close()


def _read(reply: ChatReply) -> str:
    return reply.text


def _label(feature: int) -> Explanation:
    words = words_of(feature)
    predicate = TokenIn(tokens=tuple(f" {w}" for w in words))
    return Explanation.of(ref(feature), "benchmark", f"one of {', '.join(words)}", predicate)
