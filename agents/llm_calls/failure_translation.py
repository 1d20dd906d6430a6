"""What went wrong at an endpoint, in Glossator's words.

Exceptions of LangChain, OpenAI, Anthropic, httpx and the like are known by their status code, their
headers and the names of their classes, so that no provider's package is imported here. What comes out
holds neither the key nor any of the prompt, even where the endpoint repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from glossator.agents.llm_calls.chat import CallFailure, UnscoredReason
from glossator.errors import ModelAccessError

_LONGEST_DETAIL = 240
_QUOTED = 20
"""A message with this many characters of the prompt in a row quotes it."""

_CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|ContextWindowExceeded|maximum context length|context window"
    r"|context size|context length|prompt is too long|input is too long|maximum prompt length"
    r"|input tokens exceed|too many (input )?tokens|maximum model length",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content[_ ](filter|policy|management policy)|safety (filter|system)", re.IGNORECASE)
_NO_MONEY = re.compile(r"insufficient_quota|exceeded your current quota|credit balance", re.IGNORECASE)
_KEY_LIKE = re.compile(r"\b(sk|pk|rk|gsk|xai)-[\w*.-]{6,}|\bAIza[\w-]{6,}|\bBearer\s+\S+", re.IGNORECASE)

_TIMEOUTS = {"TimeoutError", "TimeoutException", "APITimeoutError", "Timeout"}
_CUT = {
    "RemoteProtocolError", "ReadError", "IncompleteRead", "ChunkedEncodingError", "ClientPayloadError",
    "DecodingError", "ConnectionResetError", "ServerDisconnectedError",
}  # fmt: skip
_UNREACHED = {"ConnectError", "ConnectionError", "APIConnectionError", "NetworkError", "gaierror", "OSError"}
_NOT_AN_ANSWER = {
    "JSONDecodeError",
    "ValueError",
    "KeyError",
    "TypeError",
    "AttributeError",
    "IndexError",
    "APIError",
}
"""What clients raise when a body is not what the protocol says."""


class _Meaning(NamedTuple):
    reason: UnscoredReason
    retryable: bool


@dataclass(frozen=True)
class Addressee:
    """Who was asked what: names for the message, and what must not be in it."""

    model: str
    where: str
    """URL or provider."""
    key_hint: str
    """How to give another key: `set OPENAI_API_KEY`."""
    secrets: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """Texts of the prompt, some of them sealed."""

    def safe(self, message: str) -> str:
        """`message` on one line and shortened, without keys; withheld where it quotes the prompt."""
        for secret in filter(None, self.secrets):
            message = message.replace(secret, "[key]")
        line = _KEY_LIKE.sub("[key]", " ".join(message.split()))[:_LONGEST_DETAIL]
        pieces = {line[i : i + _QUOTED] for i in range(max(0, len(line) - _QUOTED + 1))}
        if any(piece in " ".join(text.split()) for text in self.said for piece in pieces):
            return "(its message quotes the prompt and is left out)"
        return line


def translated(error: BaseException, to: Addressee) -> CallFailure | ModelAccessError:
    """The failure that `error` is, to be raised from it."""
    status, message = status_of(error), complaint(error)
    detail = f"{to.model!r} at {to.where}: {to.safe(str(error)) or type(error).__name__}"
    no_money = status == 429 and _NO_MONEY.search(message) is not None
    meaning = _meaning(error, status, message)
    if status is not None and (no_money or (status in _NO_ACCESS and meaning is None)):
        return ModelAccessError(f"{detail}; {_next_step(status, to)}")
    reason, retryable = meaning or _Meaning(UnscoredReason.SERVER_ERROR, retryable=False)
    wait = retry_after(_headers(error)) if retryable else None
    return CallFailure(reason, detail, retryable=retryable, retry_after=wait)


_NO_ACCESS = (401, 402, 403, 404)
_BY_STATUS = {
    408: _Meaning(UnscoredReason.TIMED_OUT, True),
    409: _Meaning(UnscoredReason.SERVER_ERROR, True),
    413: _Meaning(UnscoredReason.CONTEXT_TOO_SMALL, False),
    425: _Meaning(UnscoredReason.SERVER_ERROR, True),
    429: _Meaning(UnscoredReason.RATE_LIMITED, True),
    504: _Meaning(UnscoredReason.TIMED_OUT, True),
}


def _meaning(error: BaseException, status: int | None, message: str) -> _Meaning | None:
    """Why there is no answer; None where only the status speaks."""
    names = _class_names(error)
    if _CONTEXT.search(message) or "ContextOverflowError" in names:
        return _Meaning(UnscoredReason.CONTEXT_TOO_SMALL, False)
    if status in (400, 403, 422) and _FILTERED.search(message):
        return _Meaning(UnscoredReason.REFUSED, False)
    if status is not None:
        return _BY_STATUS.get(status, _Meaning(UnscoredReason.SERVER_ERROR, True) if status >= 500 else None)
    if names & _TIMEOUTS:
        return _Meaning(UnscoredReason.TIMED_OUT, True)
    if names & _UNREACHED and not names & _CUT:
        return _Meaning(UnscoredReason.UNREACHABLE, True)
    return _Meaning(UnscoredReason.SERVER_ERROR, bool(names & (_CUT | _NOT_AN_ANSWER)))


def _next_step(status: int, to: Addressee) -> str:
    if status == 401:
        return f"the key is missing or wrong: {to.key_hint}"
    if status == 404:
        return "check the model's name, and that the URL is right (most end in /v1)"
    if status == 403:
        return f"this key may not use this model: choose another model, or {to.key_hint}"
    return "the account has no credit left: add some, or choose another model"


def status_of(error: BaseException) -> int | None:
    """The HTTP status that `error` stands for; None where no answer with a status came."""
    for exc in _chain(error):
        for holder in (exc, getattr(exc, "response", None)):
            for name in ("status_code", "code", "status"):
                status = getattr(holder, name, None)
                if isinstance(status, int) and 300 <= status < 600:
                    return status
    return None


def complaint(error: BaseException) -> str:
    """All that the endpoint said, for looking things up in; not for showing."""
    body = getattr(error, "body", None)
    return f"{error} {body}" if body and str(body) not in str(error) else str(error)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait as the headers ask for: milliseconds, seconds or an HTTP date (RFC 9110, 10.2.3)."""
    milliseconds, text = headers.get("retry-after-ms"), headers.get("retry-after")
    for value, unit in ((milliseconds, 0.001), (text, 1.0)):
        if value and re.fullmatch(r"\d{1,9}(\.\d+)?", value.strip()):
            return float(value) * unit
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _headers(error: BaseException) -> dict[str, str]:
    for exc in _chain(error):
        headers = getattr(getattr(exc, "response", None), "headers", None)
        if headers is not None:
            return {str(k).lower(): str(v) for k, v in headers.items()}
    return {}


def _class_names(error: BaseException) -> set[str]:
    return {cls.__name__ for exc in _chain(error) for cls in type(exc).__mro__}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised from."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__
