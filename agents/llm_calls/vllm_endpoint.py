"""A model that vLLM runs in this process: an endpoint without a wire.

vLLM's engine works in a thread of its own and takes up new requests between steps (continuous batching);
with its prefix cache, prompts that begin alike are read once.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import queue
import threading
from concurrent.futures import Future
from typing import Any, NamedTuple

from glossator.agents.llm_calls.chat import (
    AnswerToken,
    CallFailure,
    Capabilities,
    ChatReply,
    ChatRequest,
    Finish,
    TokenLogprob,
)
from glossator.agents.llm_calls.failure_translation import Addressee, translated
from glossator.errors import MissingExtraError, ModelAccessError

_QUIET = {
    "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}  # fmt: skip
"""Unless the environment says otherwise: no statistics sent anywhere, the engine in this process."""
_GPU_SHARE = 0.9
"""Of the GPU memory that is free when the engine starts; the subject may be there too."""


def open_vllm(model: str, *, timeout: float) -> VllmEndpoint:
    """The endpoint of `model`, a hub id or a folder. The model is loaded by the first request.

    Raises:
        MissingExtraError: vLLM is not installed.

    """
    if importlib.util.find_spec("vllm") is None:
        raise MissingExtraError.for_extra("vllm", f"the model 'vllm:{model}', run in this process,")
    return VllmEndpoint(model, timeout=timeout)


class _Job(NamedTuple):
    request: ChatRequest
    answer: Future[ChatReply]


class VllmEndpoint:
    """A `ChatEndpoint` over vLLM's engine. Loads at the first request; `close` frees the memory."""

    capabilities = Capabilities(schema=True, logprobs=True)

    def __init__(self, model: str, *, timeout: float) -> None:
        self.model, self._timeout = model, timeout
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ready: Future[None] = Future()

    @property
    def identity(self) -> str:
        return f"vllm:{self.model}"

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One answer; see `ChatEndpoint`. Loading does not count against the timeout."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self.identity, daemon=True)
            self._thread.start()
        await asyncio.shield(asyncio.wrap_future(self._ready))
        job = _Job(request, Future())
        self._inbox.put(job)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.wrap_future(job.answer)
        except (ModelAccessError, CallFailure):
            raise
        except Exception as exc:  # whatever the engine raises
            said = tuple(m.content for m in request.messages)
            raise translated(exc, Addressee(self.model, "vLLM in this process", "", said=said)) from exc

    async def close(self) -> None:
        """Stop the engine and let go of its memory; a later request would load it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(thread.join)
            self._ready = Future()

    def _serve(self) -> None:
        """The engine's thread."""
        try:
            batch = _Batch(_load(self.model))
        except Exception as exc:  # noqa: BLE001 - no such model, no memory…; raised where it was asked for
            said = Addressee(self.model, "", "").safe(str(exc))
            error = ModelAccessError(f"vLLM cannot run {self.model!r}: {said}")
            error.__cause__ = exc
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        while True:
            job = self._inbox.get() if not batch.running else self._next()
            while isinstance(job, _Job):
                batch.add(job)
                job = self._next()
            if job is None:
                break
            batch.step()
        batch.close()

    def _next(self) -> _Job | str | None:
        """What waits: a job, the word to stop, or `nothing`."""
        try:
            return self._inbox.get_nowait()
        except queue.Empty:
            return "nothing"


class _Batch:
    """The requests that the engine works on."""

    def __init__(self, llm: Any) -> None:
        self._llm, self._engine, self._tokenizer = llm, llm.llm_engine, llm.get_tokenizer()
        self.running: dict[str, _Job] = {}
        self._count = 0

    def add(self, job: _Job) -> None:
        """Give a job to the engine; one that it refuses fails alone."""
        if not job.answer.set_running_or_notify_cancel():
            return
        self._count += 1
        name = str(self._count)
        try:
            self._engine.add_request(
                name, {"prompt_token_ids": self._prompt(job.request)}, _sampling(job.request)
            )
        except Exception as exc:  # noqa: BLE001 - too long a prompt, a bad schema; raised by `complete`
            job.answer.set_exception(exc)
        else:
            self.running[name] = job

    def step(self) -> None:
        """One step of the engine: a token for each running request."""
        if not self.running:
            return
        try:
            outputs = self._engine.step()
        except Exception as exc:  # noqa: BLE001 - the engine is broken, and with it all that it holds
            for job in self.running.values():
                job.answer.set_exception(exc)
            self.running.clear()
            return
        for output in outputs:
            if output.finished:
                self.running.pop(output.request_id).answer.set_result(_reply(output))

    def close(self) -> None:
        """Fail what still runs, and free the memory."""
        for job in self.running.values():
            job.answer.set_exception(ConnectionResetError("the engine was stopped"))
        self._engine.engine_core.shutdown()

    def _prompt(self, request: ChatRequest) -> list[int]:
        turns = [{"role": m.role, "content": m.content} for m in request.messages]
        if not getattr(self._tokenizer, "chat_template", None):
            raise ModelAccessError(
                f"{self._llm.model_config.model!r} has no chat template: choose a model made for chat"
            )
        text = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return self._tokenizer.encode(text, add_special_tokens=False)


def _load(model: str) -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    on_cpu = importlib.import_module("vllm.platforms").current_platform.is_cpu()
    given: dict[str, Any] = {} if on_cpu else {"gpu_memory_utilization": _free_share()}
    return importlib.import_module("vllm").LLM(
        model=model,
        enforce_eager=on_cpu,
        max_model_len=-1,  # as much as fits
        structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
        **given,
    )


def _free_share() -> float:
    import torch

    free, total = torch.cuda.mem_get_info()
    return round(_GPU_SHARE * free / total, 3)


def _sampling(request: ChatRequest) -> Any:
    parameters = importlib.import_module("vllm.sampling_params")
    schema = None if request.schema is None else dict(request.schema.schema)
    return parameters.SamplingParams(
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        seed=request.sample,
        logprobs=request.top_logprobs or None,
        structured_outputs=schema and parameters.StructuredOutputsParams(json=schema),
    )


def _reply(output: Any) -> ChatReply:
    answer = output.outputs[0]
    tokens: list[AnswerToken] = []
    positions: list[Any] = list(answer.logprobs or [])
    for token_id, likely in zip(answer.token_ids, positions, strict=False):
        named = {i: TokenLogprob(p.decoded_token or "", p.logprob) for i, p in likely.items()}
        ranked = sorted(named.values(), key=lambda t: -t.logprob)
        possible = tuple(t for t in ranked if math.isfinite(t.logprob))
        tokens.append(AnswerToken(named[token_id].token, named[token_id].logprob, possible))
    return ChatReply(
        text=answer.text,
        finish=Finish.LENGTH if answer.finish_reason == "length" else Finish.STOP,
        input_tokens=len(output.prompt_token_ids or ()),
        output_tokens=len(answer.token_ids),
        cached_tokens=output.num_cached_tokens or 0,
        tokens=tuple(tokens),
    )
