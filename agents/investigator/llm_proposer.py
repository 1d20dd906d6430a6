"""A language model as proposer: it claims and writes texts, and that is all that it does.

What it says is read strictly, checked, counted and written down; what cannot be used is no proposal. It
sees windows of `explore`, outcomes that code judged, and what memory holds, each fenced as data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from glossator.agents.investigator.case import step_trace
from glossator.agents.investigator.proposal_answers import (
    ChallengeAnswer,
    HypothesesAnswer,
    TestsAnswer,
    batches_of,
    challenge_batches,
    proposals,
)
from glossator.agents.investigator.proposer import Observed, Proposal, Standing, TestBatch
from glossator.agents.investigator.shown_to_proposer import Shown
from glossator.agents.llm_calls.answer_parsing import read_json, schema_of
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored, UnscoredReason
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import TraceKind

AUTHORED = "investigator:"
"""What the author of a model's claim begins with."""
HALVINGS = 3
"""How often what is shown is halved where the prompt is longer than the model's context."""
THINKING_TOKENS = 3072
"""Granted when an answer was cut: the model thinks first, or is chatty."""
_PER_CLAIM, _PER_TEXT = 220, 75
_RETRY_TEMPERATURE = 0.7
_LONGEST_REPLY = 6000
M = TypeVar("M", bound=BaseModel)
_LIKELY_CLAIM = {"label": "words about ships and the sea", "predicate": '{"kind":"word_in","words":["ship"]}'}
_LIKELY_TEST = {
    "hypothesis": 1,
    "text": "They saw an old ship near the harbour.",
    "fires": True,
    "why": "a ship",
}


class _Read(NamedTuple, Generic[M]):
    answer: M
    prompt: RenderedPrompt


class LlmProposer:
    """Asks the investigator's model.

    Raises, from every method: `BudgetSpent` where no call is left, `ModelAccessError` and `EndpointError`
    where the model cannot be asked.
    """

    def __init__(self, calls: CallRoom) -> None:
        self._calls = calls

    @property
    def author(self) -> str:
        """`investigator:MODEL`."""
        return f"{AUTHORED}{self._calls.model(Role.INVESTIGATOR)}"

    async def hypotheses(self, observed: Observed, k: int) -> Sequence[Proposal]:
        """Up to `k` competing claims."""
        if not observed.shown.windows:
            return ()
        return await self._claims(lambda n: Shown(observed, n).hypotheses(k), k)

    async def tests(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Texts that could refute the hypotheses in play; drawn anew where nothing came of the last round."""
        if not standing.hypotheses:
            return ()
        sample = standing.round if not standing.experiments else 0
        likely = TestsAnswer.model_validate({"tests": [_LIKELY_TEST] * n})
        answer = await self._ask(
            lambda h: Shown(observed, h).tests(standing, n), likely, _PER_TEXT * n, sample
        )
        return () if answer is None else batches_of(answer.answer, standing.hypotheses, n)

    async def challenges(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Texts that could break the leader."""
        if standing.leader is None:
            return ()
        edge = {k: v for k, v in _LIKELY_TEST.items() if k != "hypothesis"}
        likely = ChallengeAnswer.model_validate({"pairs": [], "edges": [edge] * n})
        answer = await self._ask(lambda h: Shown(observed, h).challenges(standing, n), likely, _PER_TEXT * n)
        return () if answer is None else challenge_batches(answer.answer, standing.leader, n)

    async def refine(self, observed: Observed, standing: Standing, k: int) -> Sequence[Proposal]:
        """Better claims after what was seen."""
        return await self._claims(lambda n: Shown(observed, n).refine(standing, k), k)

    async def _claims(self, prompt: Callable[[int], RenderedPrompt], k: int) -> Sequence[Proposal]:
        likely = HypothesesAnswer.model_validate({"hypotheses": [_LIKELY_CLAIM] * k})
        answered = await self._ask(prompt, likely, _PER_CLAIM * k)
        if answered is None:
            return ()
        kept = proposals(answered.answer, answered.prompt, k)
        if kept.dropped and (events := step_trace()) is not None:
            events.add(TraceKind.TOOL_ERROR, "parts of the answer left out", {"reasons": {**kept.dropped}})
        return kept.proposals

    async def _ask(
        self, prompt: Callable[[int], RenderedPrompt], likely: M, max_tokens: int, sample: int = 0
    ) -> _Read[M] | None:
        """The answer, with less shown as long as the prompt is longer than the context; None for none."""
        for halvings in range(HALVINGS + 1):
            asked = prompt(halvings)
            call = Call(
                role=Role.INVESTIGATOR,
                prompt=asked,
                max_tokens=max_tokens,
                likely=likely.model_dump_json(),
                schema=schema_of(type(likely)),
                temperature=_RETRY_TEMPERATURE if sample else 0.0,
                sample=sample,
            )
            answer = await self._answer(call, type(likely))
            if not isinstance(answer, Unscored):
                return _Read(answer, asked)
            if answer.reason is not UnscoredReason.CONTEXT_TOO_SMALL:
                break
        return None

    async def _answer(self, call: Call, form: type[M]) -> M | Unscored:
        """One answer; asked again with more room where it was cut. Both are written down."""
        answer = await self._traced(call, form)
        if isinstance(answer, Unscored) and answer.reason is UnscoredReason.CUT:
            return await self._traced(replace(call, max_tokens=THINKING_TOKENS), form)
        return answer

    async def _traced(self, call: Call, form: type[M]) -> M | Unscored:
        said: list[str] = []

        def read(reply: ChatReply) -> M | Unscored:
            said.append(reply.text[:_LONGEST_REPLY].encode("utf-8", "replace").decode())
            return read_json(reply, form)

        events, ref = step_trace(), call.prompt.ref
        if events is not None:
            turns: list[object] = [{"role": m.role, "content": m.content} for m in call.prompt.messages]
            payload: dict[str, object] = {
                "prompt": ref.model_dump(mode="json"),
                "turns": turns,
                "sample": call.sample,
            }
            events.add(TraceKind.PROMPT, f"asked {ref.name}", payload)
        with self._calls.meter() as meter:
            answer = await self._calls.ask(call, read)
        if events is not None:
            words = str(answer.reason) if isinstance(answer, Unscored) else "answered"
            events.add(TraceKind.REPLY, f"{ref.name}: {words}", {"said": list(said)}, spent=meter.spending)
        return answer
