"""A small OpenAI-compatible server over a subject, to prove the wire end to end with a real model.

`POST /v1/chat/completions` with `max_tokens`, `temperature` 0, `logprobs`, `top_logprobs` and `stream`; it
knows one model, refuses a schema and prompts that are too long, as small servers do.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import torch

from glossator.probes.subject import Subject


class Refusal(Exception):
    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"message": message, "type": code, "code": code}}


class Piece(NamedTuple):
    """One token of an answer, with the likeliest ones."""

    token: str
    logprob: float
    likely: list[dict[str, Any]]


class Speaker:
    """Greedy answers of a subject, one at a time."""

    def __init__(self, subject: Subject, name: str) -> None:
        self._subject, self.name, self._lock = subject, name, threading.Lock()

    def prompt(self, body: dict[str, Any]) -> list[int]:
        if body["model"] != self.name:
            raise Refusal(404, f"The model `{body['model']}` does not exist.", "model_not_found")
        if "response_format" in body:
            raise Refusal(400, "response_format is not supported", "invalid_request_error")
        text = "".join(f"{m['content']}\n" for m in body["messages"]).rstrip("\n")
        [ids] = self._subject.tokenize([text])
        room = self._subject.context_length - body["max_tokens"]
        if len(ids) > room:
            raise Refusal(
                400, f"maximum context length exceeded: {len(ids)} > {room}", "context_length_exceeded"
            )
        return ids

    def answer(self, ids: list[int], n: int, top: int) -> list[Piece]:
        """`n` tokens after `ids`."""
        with self._lock, torch.inference_mode():
            model: Any = self._subject.model
            done = model.generate(
                torch.tensor([ids]), max_new_tokens=n, do_sample=False, output_logits=True,
                return_dict_in_generate=True, pad_token_id=0,
            )  # fmt: skip
        chosen: list[int] = done.sequences[0, len(ids) :].tolist()
        pieces: list[Piece] = []
        for token, logits in zip(chosen, done.logits, strict=True):
            logprobs = logits[0].float().log_softmax(-1)
            best = logprobs.topk(max(top, 1))
            likely = [
                {"token": self._text(i), "logprob": p, "bytes": None}
                for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            ]
            pieces.append(Piece(self._text(token), float(logprobs[token]), likely))
        return pieces

    def _text(self, token: int) -> str:
        return str(self._subject.tokenizer.decode([token]))


def completion(speaker: Speaker, body: dict[str, Any]) -> dict[str, Any]:
    """A whole answer, as OpenAI writes it."""
    ids = speaker.prompt(body)
    pieces = speaker.answer(ids, body["max_tokens"], body.get("top_logprobs", 0))
    content = [
        {"token": p.token, "logprob": p.logprob, "bytes": None, "top_logprobs": p.likely} for p in pieces
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(p.token for p in pieces)},
        "finish_reason": "length" if len(pieces) == body["max_tokens"] else "stop",
        "logprobs": {"content": content} if body.get("logprobs") else None,
    }
    usage = {
        "prompt_tokens": len(ids),
        "completion_tokens": len(pieces),
        "total_tokens": len(ids) + len(pieces),
    }
    named = {"id": "local", "object": "chat.completion", "created": 0, "model": speaker.name}
    return named | {"choices": [choice], "usage": usage}


def chunks(whole: dict[str, Any]) -> Generator[str]:
    """The same answer as a stream of events, token by token where they are known."""
    choice = whole["choices"][0]
    words = choice["message"]["content"].split(" ")
    texts = [words[0], *(f" {word}" for word in words[1:])]
    deltas = [({"role": "assistant", "content": ""}, None), *(({"content": text}, None) for text in texts)]
    for delta, finish in [*deltas, ({}, choice["finish_reason"])]:
        event = {"index": 0, "delta": delta, "finish_reason": finish}
        yield f"data: {json.dumps(whole | {'object': 'chat.completion.chunk', 'choices': [event]})}\n\n"
    yield "data: [DONE]\n\n"


@contextmanager
def serving(subject: Subject, name: str) -> Generator[str]:
    """The subject behind a loopback URL."""
    speaker = Speaker(subject, name)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                whole = completion(speaker, body)
            except Refusal as refusal:
                self._send(refusal.status, "application/json", [json.dumps(refusal.body)])
                return
            if body.get("stream"):
                self._send(200, "text/event-stream", list(chunks(whole)))
            else:
                self._send(200, "application/json", [json.dumps(whole)])

        def _send(self, status: int, kind: str, pieces: list[str]) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece.encode())
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
