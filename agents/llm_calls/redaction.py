"""Keys never reach a log, a report or the ledger: what endpoints say is cleaned before it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SHORTEST = 8
_SHAPES = (
    re.compile(r"(?i)\b(?P<kept>(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"\b(?:sk|pk|rk|gsk|hf|xai|AIza|key)[-_][A-Za-z0-9_*.-]{6,}|\bAIza[A-Za-z0-9_-]{10,}"),
    re.compile(
        r"(?i)(?P<kept>(?:api[-_ ]?key|authorization|token|secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;}]{6,}"
    ),
    re.compile(r"(?i)(?P<kept>\b(?:passw(?:or)?d|pwd)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;}&]+"),
    re.compile(r"(?<=://)[^/\s:@]+:\S+(?=@)"),
)
_HIDDEN = "[hidden]"


def without_secrets(text: str, environment: Mapping[str, str], *, longest: int = 400) -> str:
    """`text` without keys, cut to `longest` characters.

    Replaced are the values (8 characters and more) of variables in `environment` whose names look like
    those of keys, and whatever has the shape of a key: `sk-…`, `Bearer …`, `api_key=…`, `://user:password@`.
    """
    for value in secrets_in(environment):
        text = text.replace(value, _HIDDEN).replace(value.strip(), _HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(r"\g<kept>" + _HIDDEN if "kept" in shape.groupindex else _HIDDEN, text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values (8 characters and more) of variables whose names look like those of keys, the longest first."""
    values = {v for name, v in environment.items() if _KEY_NAME.search(name) and len(v.strip()) >= _SHORTEST}
    return tuple(sorted(values, key=len, reverse=True))
