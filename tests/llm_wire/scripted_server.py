"""A loopback server in OpenAI's dialect whose model follows a script of `scripted_chat.py`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from glossator.agents.llm_calls.chat import AnswerSchema, ChatRequest
from glossator.agents.llm_calls.scripted_chat import Asked, Script
from glossator.prompts.rendered_prompt import ChatMessage


class ScriptedServer:
    """A server that is running: where it is, what it was asked, and how it misbehaves."""

    def __init__(self, script: Script) -> None:
        self.script, self.base_url = script, ""
        self.asked: list[ChatRequest] = []
        self.keys: set[str] = set()
        """Bearer tokens that came."""
        self.status: Callable[[int], int] = lambda _: 200
        """The status of the n-th answer, from 0."""
        self.error: dict[str, Any] = {"message": "no", "code": None}
        """The body's error where the status is none of success."""
        self.seconds = 0.0
        """How long an answer takes."""
        self._lock = threading.Lock()

    def answer(self, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """Status and body for one request."""
        wanted = body.get("response_format", {}).get("json_schema")
        request = ChatRequest(
            messages=tuple(ChatMessage(m["role"], m["content"]) for m in body["messages"]),
            max_tokens=body.get("max_tokens") or body.get("max_completion_tokens") or 16,
            schema=AnswerSchema(wanted["name"], wanted["schema"]) if wanted else None,
        )
        with self._lock:
            self.keys.add(key)
            number = len(self.asked)
            self.asked.append(request)
        time.sleep(self.seconds)
        status = self.status(number)
        if status != 200:
            return status, {"error": self.error}
        said = self.script(Asked(request))
        sent = sum(len(m.content) // 4 for m in request.messages)
        usage = {"prompt_tokens": sent, "completion_tokens": 3, "total_tokens": sent + 3}
        message = {"role": "assistant", "content": said.text}
        choice = {"index": 0, "message": message, "finish_reason": said.finish.value}
        return 200, {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"],
                     "choices": [choice], "usage": usage}  # fmt: skip


@contextmanager
def serving(script: Script) -> Generator[ScriptedServer]:
    """A model that follows `script`, behind a URL."""
    scripted = ScriptedServer(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = scripted.answer(body, self.headers.get("authorization", ""))
            content = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked has given up

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    scripted.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
