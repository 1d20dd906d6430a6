"""A loopback server that plays cassettes: recorded answers, errors and streams.

The first answer of a cassette whose `when`, if it has one, is a field of the request is played. What was
asked is kept, to see what went over the wire.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

CASSETTES = Path(__file__).parent / "cassettes"


class Heard(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Cassette:
    """A server that is running: where it is, and what it heard."""

    def __init__(self, name: str) -> None:
        self.answers: list[dict[str, Any]] = json.loads((CASSETTES / f"{name}.json").read_text())["answers"]
        self.heard: list[Heard] = []
        self.base_url = ""

    def answer_to(self, body: dict[str, Any]) -> dict[str, Any]:
        return next(a for a in self.answers if a.get("when", "model") in body)


@contextmanager
def playing(name: str) -> Generator[Cassette]:
    """The cassette `name` behind a URL."""
    cassette = Cassette(name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            is_json = self.headers["content-type"] == "application/json"
            body = json.loads(content) if is_json else {"model": "not JSON"}
            cassette.heard.append(Heard(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = cassette.answer_to(body)
            time.sleep(answer.get("wait", 0.0))
            try:
                self._play(answer)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked has given up

        def _play(self, answer: dict[str, Any]) -> None:
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            content = answer.get("body", "")
            text = content if isinstance(content, str) else json.dumps(content).replace("KEY", key)
            pieces = [piece.encode() for piece in answer.get("chunks", [text])]
            self.send_response(answer["status"])
            for header, value in answer["headers"].items():
                self.send_header(header, value)
            cut = bool(answer.get("cut"))
            self.send_header("content-length", str(sum(map(len, pieces)) + (100 if cut else 0)))
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()
            self.close_connection = cut

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    cassette.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield cassette
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
