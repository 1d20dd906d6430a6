"""Conversations: requests that go on from each other, in the ledger and in a running chat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, runtime_checkable

from glossator.agents.orchestrator.situation import Exchange
from glossator.errors import UnknownNameError
from glossator.memory.investigation_store import InvestigationStore
from glossator.records import Answer, Claim, LlmSpending, TraceKind

CARRIED = 6
"""Earlier exchanges that a request is told of."""


def stored_answer(store: InvestigationStore, identity: str) -> Answer | None:
    """The last answer of the request `identity`; None where it has none yet."""
    finished = [e.event for e in store.events(identity) if e.event.kind is TraceKind.FINISHED]
    return Answer.model_validate(finished[-1].payload) if finished else None


def earlier_exchanges(store: InvestigationStore, identity: str) -> tuple[Exchange, ...]:
    """The conversation up to and with the request `identity`, oldest first; nothing for an empty id.

    Raises:
        UnknownNameError: it is no request of this ledger.

    """
    chain: list[Exchange] = []
    while identity and len(chain) < CARRIED:
        stored = store.find(identity)
        if stored.kind != "request":
            raise UnknownNameError(
                f"{identity} investigates one feature: only requests in words can be continued"
            )
        answer = stored_answer(store, stored.id)
        if answer is not None:
            chain.append(Exchange.of(answer))
        identity = stored.continues
    return tuple(reversed(chain))


@runtime_checkable
class Asks(Protocol):
    """Answers one request of a conversation."""

    def __call__(self, request: str, continues: str, stop: Callable[[], bool]) -> Awaitable[Answer]:
        """The answer to `request`, which goes on from the investigation `continues` (empty for none)."""
        ...


class Cited(NamedTuple):
    """A piece of evidence, and the first claim that cited it."""

    evidence: str
    claim: str


class ChatSession:
    """A conversation that is going on. Without any terminal: whoever shows it listens to the trace."""

    def __init__(self, asks: Asks, continues: str = "") -> None:
        """A chat that goes on from the investigation `continues`, if one is named."""
        self._asks, self.last = asks, continues
        self.answers: list[Answer] = []
        self._stopped = False

    async def ask(self, request: str) -> Answer:
        """The answer to the next request."""
        self._stopped = False
        answer = await self._asks(request, self.last, lambda: self._stopped)
        self.answers.append(answer)
        self.last = answer.investigation
        return answer

    def stop(self) -> None:
        """End the running request after its present step, with what was found so far."""
        self._stopped = True

    @property
    def spending(self) -> LlmSpending:
        """What all answers of this chat cost together."""
        spent = [a.spending for a in self.answers]
        known = [s.usd for s in spent if s.usd is not None]
        return LlmSpending(
            calls=sum(s.calls for s in spent),
            cached=sum(s.cached for s in spent),
            input_tokens=sum(s.input_tokens for s in spent),
            output_tokens=sum(s.output_tokens for s in spent),
            usd=sum(known) if known and len(known) == len(spent) else None,
        )

    def evidence(self) -> list[Cited]:
        """Everything that the answers cite, in order, each once."""
        claims: list[Claim] = [c for answer in self.answers for c in answer.claims]
        first: dict[str, str] = {}
        for claim in claims:
            for identity in claim.evidence:
                first.setdefault(identity, claim.text)
        return [Cited(identity, text) for identity, text in first.items()]
