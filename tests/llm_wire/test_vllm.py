"""vLLM for real, on a tiny random model: as a server, and in this process. `make test-vllm` runs this."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glossator.agents.llm_calls.chat import (
    CallFailure,
    ChatEndpoint,
    ChatReply,
    ChatRequest,
    Finish,
    UnscoredReason,
)
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.errors import ModelAccessError
from glossator.probes.tiny_subject import tiny_subject
from glossator.prompts.rendered_prompt import ChatMessage
from tests.llm_wire.asking import FULL, SCHEMA, request

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
CONTEXT = 512
START_SECONDS = 240.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a tokenizer and a chat template."""
    path = tmp_path_factory.mktemp("vllm") / "tiny-llama"
    sizes = {"hidden_size": 128, "head_dim": 32, "intermediate_size": 128, "max_position_embeddings": CONTEXT}
    subject = tiny_subject("llama", **sizes)
    subject.model.save_pretrained(path)
    subject.tokenizer.chat_template = TEMPLATE
    subject.tokenizer.save_pretrained(path)
    return path


@contextmanager
def served(folder: Path) -> Generator[str]:
    """vLLM's own server over `folder`; gives its URL."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    options = ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--enforce-eager"]
    environment = os.environ | {"VLLM_NO_USAGE_STATS": "1"}
    log = folder.parent / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen([*command, *options], stdout=out, stderr=out, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(timeout=60)
        sys.stdout.write(log.read_text()[-8000:])  # shown where the test fails


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    stop = time.monotonic() + START_SECONDS
    while time.monotonic() < stop:
        assert server.poll() is None, "the server stopped"
        try:
            urllib.request.urlopen(url, timeout=2)
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(url)


def both(spec: ModelSpec, *requests: ChatRequest) -> list[ChatReply | BaseException]:
    """Answers of one endpoint to `requests`, in flight together."""

    async def asked(endpoint: ChatEndpoint) -> list[ChatReply | BaseException]:
        try:
            return await asyncio.gather(*(endpoint.complete(r) for r in requests), return_exceptions=True)
        finally:
            await endpoint.close()

    return asyncio.run(asked(open_endpoint(spec, timeout=120.0)))


def check(spec: ModelSpec) -> None:
    """What must hold whichever way vLLM is used."""
    plain = [request(max_tokens=6, top_logprobs=3, sample=n) for n in range(4)]
    long = request(messages=(ChatMessage("user", "word " * 2000),), max_tokens=6)
    *replies, held, refused = both(spec, *plain, request(schema=SCHEMA, max_tokens=60), long)
    for reply in replies:
        assert isinstance(reply, ChatReply), reply
        assert (reply.output_tokens, len(reply.tokens), reply.finish) == (6, 6, Finish.LENGTH)
        assert all(len(token.alternatives) >= 3 for token in reply.tokens)
        assert all(max(a.logprob for a in token.alternatives) == token.logprob for token in reply.tokens)
    assert len({reply.text for reply in replies if isinstance(reply, ChatReply)}) == 1, "temperature is 0"
    assert isinstance(held, ChatReply), held
    assert set(json.loads(held.text)) == {"1", "2"}
    assert set(json.loads(held.text).values()) <= {0, 1}
    assert isinstance(refused, CallFailure), refused
    assert (refused.reason, refused.retryable) == (UnscoredReason.CONTEXT_TOO_SMALL, False)


def test_as_a_server(folder: Path) -> None:
    with served(folder) as url:
        spec = ModelSpec.parse("tiny", base_url=url)
        check(spec)
        endpoint = open_endpoint(spec, timeout=60.0)
        assert endpoint.capabilities == FULL
        [unknown] = both(ModelSpec.parse("huge", base_url=url), request())
        assert isinstance(unknown, ModelAccessError), unknown


def test_in_this_process(folder: Path) -> None:
    check(ModelSpec.parse(f"vllm:{folder}"))


def test_a_model_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    [error] = both(ModelSpec.parse(f"vllm:{tmp_path / 'nothing'}"), request())
    assert isinstance(error, ModelAccessError), error
    assert "vLLM cannot run" in str(error)
