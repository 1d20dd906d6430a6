"""The one room that makes LLM calls.

An ask goes: answer in the ledger? → is it being asked already? → is its endpoint there? → a slot → room
in the budget → the endpoint, tried again where that helps → the ledger → the asker. An answer is on disk
before anyone sees it, so a killed command never pays for it again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from glossator.agents.llm_calls.answer_store import AnswerStore
from glossator.agents.llm_calls.breaker import OutageNote, OutageStage
from glossator.agents.llm_calls.budget import Budget, Charge
from glossator.agents.llm_calls.chat import (
    Call,
    CallFailure,
    Capabilities,
    ChatEndpoint,
    ChatReply,
    Role,
    Unscored,
    UnscoredReason,
)
from glossator.agents.llm_calls.metering import Meter, Paid, metered, meters_of
from glossator.agents.llm_calls.pooled_endpoint import MemberHealth, PooledEndpoint
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.question import Question, Questions
from glossator.agents.llm_calls.redaction import without_secrets
from glossator.agents.llm_calls.retry import Attempts, EndpointHealth, RetryPolicy
from glossator.agents.llm_calls.slots import AdaptiveSlots, SlotLoad
from glossator.agents.llm_calls.stored_answer import as_stored, packed, unpacked
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.errors import BudgetError, ModelAccessError
from glossator.memory.call_store import CallStore, StoredCall
from glossator.records import LlmSpending

T = TypeVar("T")

REASK_SAMPLE = 1000
"""Added to a question's sample whenever it is asked again for want of a readable answer."""
REASK_TEMPERATURE = 0.5
"""At least, when asking again: at 0 the same answer would come back."""
_ASK_AGAIN = (UnscoredReason.MALFORMED, UnscoredReason.EMPTY)


class _Answer(NamedTuple):
    """What came of one question, and what was paid for it now (None: nothing)."""

    reply: ChatReply | Unscored
    paid: Paid | None = None


class _Bought(NamedTuple):
    reply: ChatReply
    paid: Paid


class CallRoom:
    """Asks models, within a budget, never twice for the same answer. For one event loop.

    Args:
        endpoints: The model of each role; roles may share one.
        budget: What may be spent; its time starts now.
        store: Where answers are kept; None keeps them nowhere.
        slots: Requests in flight at once at most, over all endpoints; fewer where an endpoint takes fewer.
        counter: Estimates tokens.
        prices: Prices of models.
        run: The ledger's run that pays.
        retry: How failures are met.
        dry: Answer with `Call.likely` instead of asking, and add up estimates; stored answers count as such.
        reasks: How often a question is asked again whose answer cannot be read.
        environment: Where keys may stand, to be kept out of messages; the process's by default.
        on_outage: Told when an endpoint is out and when that is over, where `retry` has patience; called
            in the event loop, so it must be quick and not raise.

    Raises:
        BudgetError: Money is limited and a model's price is unknown.

    """

    def __init__(
        self,
        endpoints: Mapping[Role, ChatEndpoint],
        *,
        budget: Budget,
        store: CallStore | None,
        slots: int,
        counter: TokenCounter,
        prices: Prices,
        run: str = "",
        retry: RetryPolicy | None = None,
        dry: bool = False,
        reasks: int = 1,
        environment: Mapping[str, str] | None = None,
        on_outage: Callable[[OutageNote], None] | None = None,
    ) -> None:
        self._endpoints, self._budget, self._counter, self._prices = endpoints, budget, counter, prices
        self._run, self._dry, self._reasks = run, dry, reasks
        self._environment = os.environ if environment is None else environment
        self._answers = None if store is None else AnswerStore(store, counter)
        self._questions = Questions(endpoints, counter, prices)
        policy = retry or RetryPolicy()
        self._clock, self._on_outage = policy.clock, on_outage
        self._slots = AdaptiveSlots(slots, clock=policy.clock)
        self._health = {
            e.identity: EndpointHealth(e.model, policy, partial(self._outage, e.identity))
            for e in endpoints.values()
        }
        self._in_flight: dict[str, asyncio.Future[_Answer | None]] = {}
        self._pretended: set[str] = set()
        self._total = Meter()
        if budget.limits_money and not dry:
            self._refuse_unpriced()
        budget.start()

    def model(self, role: Role) -> str:
        """The short name of the model of `role`."""
        return self._questions.endpoint(role).model

    def capabilities(self, role: Role) -> Capabilities:
        """What the model of `role` can do beyond text."""
        return self._questions.endpoint(role).capabilities

    def meter(self) -> AbstractContextManager[Meter]:
        """A scope whose `Meter` counts everything asked inside, also by tasks that are started inside."""
        return metered(self)

    @property
    def spending(self) -> LlmSpending:
        """What was spent since this room was opened."""
        return self._total.spending

    @property
    def load(self) -> SlotLoad:
        """How busy the slots are and were."""
        return self._slots.load()

    @property
    def outage(self) -> str:
        """Models whose endpoints are waited for, joined by commas; empty for none."""
        return ", ".join(sorted({h.model for h in self._health.values() if h.breaker.is_open}))

    @property
    def members(self) -> tuple[MemberHealth, ...]:
        """How each URL does, of models that run at several."""
        pools = {id(e): e for e in self._endpoints.values() if isinstance(e, PooledEndpoint)}
        return tuple(member for pool in pools.values() for member in pool.health())

    async def close(self) -> None:
        """Finish what is on its way to the ledger and let go of connections.

        Raises:
            StorageError: The ledger cannot be written, and answers are lost.

        """
        try:
            if self._answers is not None:
                await self._answers.close()
        finally:
            for endpoint in {id(e): e for e in self._endpoints.values()}.values():
                await endpoint.close()

    async def ask(self, call: Call, read: Callable[[ChatReply], T | Unscored]) -> T | Unscored:
        """The answer to `call` as `read` reads it, or why there is none.

        An answer that `read` finds malformed or empty is asked for once more, as another sample.

        Raises:
            BudgetSpent: The call could exceed the budget.
            ModelAccessError: The model cannot be used as it is set.
            EndpointError: The endpoint failed many times in a row, or for longer than the policy waits.
            StorageError: The ledger cannot be written.

        """
        result = await self._ask_once(call, read)
        for again in range(1, self._reasks + 1):
            if self._dry or not (isinstance(result, Unscored) and result.reason in _ASK_AGAIN):
                break
            sample = call.sample + REASK_SAMPLE * again
            warmer = replace(call, sample=sample, temperature=max(call.temperature, REASK_TEMPERATURE))
            result = await self._ask_once(warmer, read)
        return result

    async def _ask_once(self, call: Call, read: Callable[[ChatReply], T | Unscored]) -> T | Unscored:
        answer = await self._answer(call)
        result = answer.reply if isinstance(answer.reply, Unscored) else read(answer.reply)
        for meter in (self._total, *meters_of(self)):
            if answer.paid is not None:
                meter.paid(answer.paid)
            elif isinstance(answer.reply, ChatReply):
                meter.cached()
            if isinstance(result, Unscored):
                meter.unscored(result.reason)
        return result

    async def _answer(self, call: Call) -> _Answer:
        """From the ledger, from whoever is asking the same, or from the endpoint."""
        question = self._questions.of(call)
        identity, key = question.identity, question.key
        if self._answers is not None:
            await self._answers.open(identity)
        while (running := self._in_flight.get(key)) is not None:
            shared = await asyncio.shield(running)
            if shared is not None:
                return shared._replace(paid=None)
        ours = self._in_flight[key] = asyncio.get_running_loop().create_future()
        answer: _Answer | None = None
        try:
            answer = await self._found(question)
            if answer is None:
                answer = self._pretend(question) if self._dry else await self._bought(question)
            return answer
        finally:
            del self._in_flight[key]
            ours.set_result(answer)  # None sends those who waited to ask themselves

    async def _found(self, question: Question) -> _Answer | None:
        if self._answers is None:
            return None
        stored = await self._answers.find(question.key)
        return None if stored is None else _Answer(unpacked(stored))

    async def _bought(self, question: Question) -> _Answer:
        """Ask until there is an answer or no hope of one."""
        attempts = Attempts(self._health[question.identity])
        while True:
            try:
                bought = await self._request(question, attempts)
            except CallFailure as failure:
                detail = without_secrets(failure.detail, self._environment)
                if await attempts.again(failure, detail):
                    continue
                return _Answer(Unscored(failure.reason, detail))
            except ModelAccessError as error:
                said = without_secrets(str(error), self._environment, longest=2000)
                raise ModelAccessError(said) from None  # what it came from may hold a key
            return await self._kept(question, bought)

    async def _request(self, question: Question, attempts: Attempts) -> _Bought:
        """One request, in a slot and within the budget. Whatever else is waited for, no slot is held."""
        while True:
            async with attempts.turn(), self._slots.slot(question.identity):
                if attempts.may_ask():
                    if self._answers is not None:
                        await self._answers.ready()
                    return await self._paid_for(question)

    async def _paid_for(self, question: Question) -> _Bought:
        reserved = self._questions.most(question)
        await self._budget.reserve(reserved)
        actual = reserved  # of a call that is cancelled nobody knows what it cost
        try:
            reply = await self._sent(question)
            paid = self._questions.paid(question, reply)
            actual = Charge(1, paid.input_tokens + paid.output_tokens, paid.usd or 0.0)
        except (CallFailure, ModelAccessError):
            actual = Charge(calls=1)
            raise
        finally:
            self._budget.settle(reserved, actual)
        return _Bought(reply, paid)

    async def _sent(self, question: Question) -> ChatReply:
        """One request, and what it shows of its endpoint."""
        identity, started = question.identity, self._clock()
        try:
            reply = await question.endpoint.complete(question.request)
        except CallFailure as failure:
            if failure.reason is UnscoredReason.RATE_LIMITED:
                self._slots.refused(identity, started)
            raise
        self._slots.answered(identity, question.prompt, started)
        self._health[identity].answered()
        return reply

    async def _kept(self, question: Question, bought: _Bought) -> _Answer:
        reply, paid, call, endpoint = as_stored(bought.reply), bought.paid, question.call, question.endpoint
        self._counter.learn_reply(question.identity, question.prompt, question.raw, reply)
        if self._answers is not None:
            await self._answers.add(
                StoredCall(
                    key=question.key, identity=question.identity, model=endpoint.model, role=call.role.value,
                    run=self._run, prompt=call.prompt.ref, answer=packed(reply),
                    input_tokens=reply.input_tokens, output_tokens=reply.output_tokens,
                    cached_tokens=reply.cached_tokens, counter=self._counter.name,
                    estimated_input=question.raw.estimated_input,
                    estimated_output=question.raw.estimated_output, usd=paid.usd,
                )
            )  # fmt: skip
        return _Answer(reply, paid)

    def _pretend(self, question: Question) -> _Answer:
        """The likely answer at its likely cost; the second time it would come out of the ledger."""
        reply = self._questions.likely_reply(question)
        if question.key in self._pretended:
            return _Answer(reply)
        self._pretended.add(question.key)
        return _Answer(reply, self._questions.paid(question, reply))

    def _outage(self, identity: str, note: OutageNote) -> None:
        if note.stage is OutageStage.ENDED:
            self._slots.restart(identity)
        if self._on_outage is not None:
            self._on_outage(note)

    def _refuse_unpriced(self) -> None:
        for endpoint in self._endpoints.values():
            if self._prices.of(endpoint) is None:
                raise BudgetError(
                    f"the budget limits money ({self._budget.at_most}), but the price of {endpoint.model!r} "
                    "is unknown: set price (such as GLOSSATOR_PRICE=0.25/2, US dollars per million input and "
                    "output tokens; 0/0 if it is free), or limit tokens or calls instead"
                )
