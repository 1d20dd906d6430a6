"""A scripted model behind a real loopback server in a process of its own, which fails by a script.

It counts what it was asked and what it answered, whatever becomes of who asked: what it answered is what a
provider would bill. Answers depend on the question alone; failures on how many requests came before.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glossator.agents.llm_calls.chat import (
    CallFailure,
    Capabilities,
    ChatReply,
    ChatRequest,
    UnscoredReason,
)

_FAILURES = {
    429: UnscoredReason.RATE_LIMITED,
    500: UnscoredReason.SERVER_ERROR,
    503: UnscoredReason.SERVER_ERROR,
}
CLIENT_TIMEOUT = 3.0
"""Seconds after which a question is given up that the server leaves hanging."""


class Weather(NamedTuple):
    """How the endpoint behaves."""

    latency: float = 0.03
    """Mean seconds to an answer."""
    errors: float = 0.05
    """Share of requests that get a 429 or a 500, or no answer at all."""
    malformed: float = 0.05
    """Share of questions that are answered with rubbish, whenever they are asked."""
    outages: tuple[int, ...] = ()
    """Each begins once so many requests have come; every second one refuses connections, the others 503."""
    outage_seconds: float = 1.5
    seed: int = 0


class Tally(NamedTuple):
    """What the server saw."""

    received: int
    """Requests, failed ones among them."""
    paid: int
    """Answers given."""
    answering: int
    """Answers on their way."""
    questions: int
    """Different questions among them."""
    failures: dict[str, int]
    outages: int


def scripted_answer(question: str, malformed: float) -> str:
    """`0` or `1`, or rubbish, by the question alone."""
    digest = hashlib.sha256(question.encode()).digest()
    if int.from_bytes(digest[:4], "big") < malformed * 2**32:
        return "I would rather not say { 0"
    return str(digest[4] % 2)


def question_of(text: str, sample: int, temperature: float) -> str:
    """What tells a question from all others."""
    return json.dumps([text, sample, temperature])


@dataclass
class _Server:
    weather: Weather
    port: int = 0
    received: int = 0
    paid: int = 0
    answering: int = 0
    questions: set[str] = field(default_factory=lambda: set())
    failures: Counter[str] = field(default_factory=lambda: Counter())
    down: bool = False
    begun: int = 0
    listening: Any = None

    async def serve(self, tell: Any) -> None:
        self.chance = random.Random(self.weather.seed)
        await self._listen()
        tell.send(self.port)
        asyncio.get_running_loop().add_reader(tell.fileno(), self._report, tell)
        await asyncio.Event().wait()

    def _report(self, tell: Any) -> None:
        tell.recv()
        seen = (self.received, self.paid, self.answering, len(self.questions))
        tell.send(Tally(*seen, dict(self.failures), self.begun))

    async def _listen(self) -> None:
        self.listening = await asyncio.start_server(self._meet, "127.0.0.1", self.port, backlog=500)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            status, said = await self._answer(body)
            if status:
                content = json.dumps(said).encode()
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n" % (status, len(content)))
                writer.write(content)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked is gone; an answer that was made is paid all the same
        finally:
            writer.close()

    async def _answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.received += 1
        if self.begun < len(self.weather.outages) and self.received >= self.weather.outages[self.begun]:
            self.begun += 1
            self.task = asyncio.ensure_future(self._outage(refuses=self.begun % 2 == 0))
        if self.down:
            return self._failed(503)
        lot = self.chance.random()
        if lot < self.weather.errors:
            kind = self.chance.choice((429, 429, 429, 500, 500, 500, 0))
            await asyncio.sleep(self.weather.latency if kind else 2 * CLIENT_TIMEOUT)
            return self._failed(kind)
        self.answering += 1
        await asyncio.sleep(self.chance.uniform(0.5, 1.5) * self.weather.latency)
        self.answering -= 1
        self.paid += 1
        self.questions.add(body["question"])
        return 200, scripted_answer(body["question"], self.weather.malformed)

    def _failed(self, status: int) -> tuple[int, str]:
        self.failures[str(status)] += 1
        return status, "no"

    async def _outage(self, *, refuses: bool) -> None:
        self.down = True
        if refuses:
            self.listening.close()
        await asyncio.sleep(self.weather.outage_seconds)
        if refuses:
            await self._listen()
        self.down = False


def _serve(weather: Weather, tell: Any) -> None:
    asyncio.run(_Server(weather).serve(tell))


class ChaosEndpoint:
    """The client of the scripted model, as the call room takes it."""

    model = "chaos"
    identity = "chaos:chaos"
    capabilities = Capabilities()

    def __init__(self, port: int) -> None:
        self._port = port

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The scripted answer; a fresh connection each time, so that an outage is met at once."""
        question = question_of(request.messages[-1].content, request.sample, request.temperature)
        return ChatReply(await billed_answer(self._port, question), input_tokens=10, output_tokens=1)

    async def close(self) -> None:
        """Nothing is held open."""


async def billed_answer(port: int, question: str) -> str:
    """What the server on `port` answers; raises `CallFailure` as the weather has it."""
    try:
        async with asyncio.timeout(CLIENT_TIMEOUT):
            status, said = await _asked(port, {"question": question})
    except TimeoutError as error:
        raise CallFailure(UnscoredReason.TIMED_OUT, "no answer", retryable=True) from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise CallFailure(UnscoredReason.UNREACHABLE, str(error), retryable=True) from error
    if status != 200:
        wait = 0.05 if status == 429 else None
        raise CallFailure(_FAILURES[status], str(status), retryable=True, retry_after=wait)
    return said


class RunningEndpoint:
    """The server while it runs."""

    def __init__(self, tell: Any) -> None:
        self._tell = tell
        self.port: int = tell.recv()

    def tally(self) -> Tally:
        """What it saw so far."""
        self._tell.send("tally")
        return self._tell.recv()

    def drained(self) -> Tally:
        """What it saw once every answer on its way is given; for when nobody asks any more."""
        seen = self.tally()
        while True:
            time.sleep(0.1)  # a question of somebody who was killed may still lie in the socket
            before, seen = seen, self.tally()
            if seen == before and not seen.answering:
                return seen


@contextmanager
def chaos_endpoint(weather: Weather) -> Generator[RunningEndpoint]:
    """The scripted model, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(weather, theirs), daemon=True)
    process.start()
    try:
        yield RunningEndpoint(ours)
    finally:
        process.terminate()
        process.join()


async def _asked(port: int, body: dict[str, Any]) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        content = json.dumps(body).encode()
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        return int(head.split()[1]), json.loads(await reader.readexactly(length))
    finally:
        writer.close()
