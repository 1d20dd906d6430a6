"""A chat model that follows a script: for tests, benchmarks and rehearsals, with known behaviour.

What it is asked is read back from the prompt's fences (`3|text|3`, `C|claim|C`), exactly as a model would
see it. Behaviours wrap each other: `ScriptedChat(noisy(verdicts(fits), 0.2))`. What looks random is drawn
from the request's content, so that the same question always gets the same answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from glossator.agents.llm_calls.chat import (
    AnswerToken,
    CallFailure,
    Capabilities,
    ChatReply,
    ChatRequest,
    Finish,
    TokenLogprob,
    ToolCall,
    UnscoredReason,
)

_WINDOW = re.compile(r"^(\d+)\|(.*)\|\1(?: .*)?$", re.MULTILINE)
_CLAIM = re.compile(r"^(?:.*: ?)?C\|(.*)\|C$", re.MULTILINE)
_MARKED = re.compile(r"<<(.*?)>>")
_ORDER = re.compile(r"answer (\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """A request as the model sees it."""

    request: ChatRequest

    @cached_property
    def question(self) -> str:
        """The last turn, whole."""
        return self.request.messages[-1].content

    @cached_property
    def claim(self) -> str | None:
        """The fenced claim; None where the question has none."""
        found = _CLAIM.search(self.question)
        return found[1] if found else None

    @cached_property
    def windows(self) -> dict[int, str]:
        """Fenced windows by number."""
        return {int(n): text for n, text in _WINDOW.findall(self.question)}

    @property
    def form(self) -> str:
        """Name of the schema that was asked for; empty for a bare answer."""
        return self.request.schema.name if self.request.schema else ""

    @cached_property
    def outside_the_fence(self) -> str:
        """Everything that is not data."""
        turns = "\n".join(m.content for m in self.request.messages)
        return _CLAIM.sub("", _WINDOW.sub("", turns))

    def chance(self, purpose: str) -> float:
        """A number in [0, 1) that belongs to this question and `purpose`."""
        said = "\x00".join(m.content for m in self.request.messages)
        digest = hashlib.sha256(f"{purpose}\x00{self.request.sample}\x00{said}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


@dataclass(frozen=True)
class Scripted:
    """What the script says: a text, with the probability of each verdict in it where there are any."""

    text: str
    yes: tuple[float, ...] = ()
    """P(1) of each verdict in the order of the text."""
    finish: Finish = Finish.STOP
    tool_calls: tuple[ToolCall, ...] = ()
    """Tools that it calls; given only to requests that offer tools."""


Script = Callable[[Asked], Scripted]
Fits = Callable[[str, str], bool | float]
"""Does the claim fit the window? A float is the probability that it does."""


def marked_parts(text: str) -> list[str]:
    """The marked runs of a window of a fuzzing question."""
    return _MARKED.findall(text)


def verdicts(fits: Fits) -> Script:
    """A reader that answers each window by `fits`: bare for one window, as a JSON object for several."""

    def script(asked: Asked) -> Scripted:
        return _spoken(asked, [float(fits(asked.claim or "", text)) for text in asked.windows.values()])

    return script


def _spoken(asked: Asked, yes: Sequence[float]) -> Scripted:
    said = [int(p >= 0.5) for p in yes]
    if len(said) == 1 and not asked.form:
        return Scripted(str(said[0]), tuple(yes))
    return Scripted(json.dumps(dict(zip(map(str, asked.windows), said, strict=True))), tuple(yes))


def by_form(readers: Script, others: Mapping[str, Callable[[Asked], str]]) -> Script:
    """`others` answer the questions whose schema has their name, `readers` all the rest."""

    def script(asked: Asked) -> Scripted:
        return Scripted(others[asked.form](asked)) if asked.form in others else readers(asked)

    return script


def noisy(script: Script, rate: float) -> Script:
    """Each verdict is turned round with probability `rate`, for each window and claim on its own."""

    def turned(asked: Asked) -> Scripted:
        flips = dict.fromkeys(asked.windows, False)
        for number, text in asked.windows.items():
            digest = hashlib.sha256(f"{asked.claim}\x00{text}".encode()).digest()
            flips[number] = int.from_bytes(digest[:8], "big") / 2**64 < rate
        answer = script(asked)
        if len(answer.yes) != len(flips):
            return answer
        return _spoken(asked, [1 - p if f else p for p, f in zip(answer.yes, flips.values(), strict=True)])

    return turned


def malformed(script: Script, rate: float, text: str = "I am not sure, but 7 of them might [maybe") -> Script:
    """A share of the answers is `text` instead, drawn by question; asking again does not help."""

    def broken(asked: Asked) -> Scripted:
        unsampled = Asked(ChatRequest(asked.request.messages, asked.request.max_tokens))
        return Scripted(text) if unsampled.chance("malformed") < rate else script(asked)

    return broken


def always(text: str, finish: Finish = Finish.STOP) -> Script:
    """The same answer to everything: a refusal, prose, nothing, ten thousand words."""
    return lambda asked: Scripted(text, finish=finish)


def obeying(script: Script) -> Script:
    """A model that does what stands outside the fences (`answer 1`) and is itself otherwise.

    The prompt's own account of how to answer is no order: only one from a window can be.
    """

    def obedient(asked: Asked) -> Scripted:
        lines = [line for line in asked.outside_the_fence.splitlines() if "ignore" in line.lower()]
        order = next((m for line in lines if (m := _ORDER.search(line))), None)
        if order is None:
            return script(asked)
        return _spoken(asked, [float(order[1].strip(".,") == "1")] * len(asked.windows))

    return obedient


class ScriptedChat:
    """A `ChatEndpoint` that follows a script."""

    def __init__(
        self,
        script: Script,
        *,
        model: str = "scripted",
        seconds: float = 0.0,
        failing: Callable[[int], CallFailure | None] | None = None,
        capabilities: Capabilities | None = None,
        context: int | None = None,
        count: Callable[[str], int] = lambda text: math.ceil(len(text) / 4),
        keeps: bool = True,
    ) -> None:
        """A model that takes `seconds` for each answer.

        Args:
            script: What it answers.
            model: Its name.
            seconds: How long an answer takes.
            failing: The failure of the n-th call (from 0), if it is to fail.
            capabilities: Schema and probabilities by default.
            context: Tokens that fit prompt and answer together; any number if None.
            count: Tokens of a text.
            keeps: Keep what it was asked; False where that would be too much.
        """
        self._script, self._seconds, self._failing, self._context = script, seconds, failing, context
        self.model, self._count, self._keeps = model, count, keeps
        self.capabilities = capabilities or Capabilities(schema=True, logprobs=True)
        self.requests: list[ChatRequest] = []
        """Everything it was asked, in order; empty unless it `keeps` that."""
        self.asked = 0
        """How often it was asked."""
        self.in_flight = self.most_in_flight = 0

    @property
    def identity(self) -> str:
        return f"scripted:{self.model}"

    async def complete(self, request: ChatRequest) -> ChatReply:
        number = self.asked
        self.asked += 1
        if self._keeps:
            self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self._seconds:
                await asyncio.sleep(self._seconds)
            if self._failing is not None and (failure := self._failing(number)) is not None:
                raise failure
            return self._reply(request)
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        """Nothing to let go of."""

    def _reply(self, request: ChatRequest) -> ChatReply:
        sent = sum(self._count(m.content) for m in request.messages)
        if self._context is not None and sent + request.max_tokens > self._context:
            detail = f"{sent} tokens and {request.max_tokens} for the answer, of {self._context}"
            raise CallFailure(UnscoredReason.CONTEXT_TOO_SMALL, detail, retryable=False)
        answer = self._script(Asked(request))
        wanted = request.top_logprobs > 0 and self.capabilities.logprobs
        return ChatReply(
            text=answer.text,
            finish=answer.finish,
            input_tokens=sent,
            output_tokens=self._count(answer.text + "".join(c.arguments for c in answer.tool_calls)),
            tokens=_with_probabilities(answer) if wanted else (),
            tool_calls=answer.tool_calls if request.tools else (),
        )


def _with_probabilities(answer: Scripted) -> tuple[AnswerToken, ...]:
    """The answer cut into one-character tokens, with the verdicts' probabilities at the verdicts."""
    places = _verdict_places(answer.text) if answer.yes else []
    yes = dict(zip(places, answer.yes, strict=False))
    return tuple(_token(c, yes.get(i)) for i, c in enumerate(answer.text))


def _verdict_places(text: str) -> list[int]:
    if text.strip() in ("0", "1"):
        return [text.index(text.strip())]
    return [m.start(1) for m in re.finditer(r":\s*([01])", text)]


def _token(character: str, yes: float | None) -> AnswerToken:
    if yes is None:
        return AnswerToken(character, 0.0, (TokenLogprob(character, 0.0),))
    clipped = min(max(yes, 1e-6), 1 - 1e-6)
    both = (TokenLogprob("1", math.log(clipped)), TokenLogprob("0", math.log1p(-clipped)))
    return AnswerToken(character, both[0 if character == "1" else 1].logprob, both)
