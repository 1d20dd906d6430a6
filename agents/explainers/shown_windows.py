"""Windows as the lines of a prompt: spread over strength, fired tokens marked, strength beside the fence."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from glossator.prompts.fence import fenced, marked
from glossator.records import TokenEffect, Window

FIRED = 0.3
"""Share of a window's strongest activation above which a token is marked (as in Paulo et al. 2024,
https://arxiv.org/abs/2410.13928)."""
STRENGTHS = 10
COUNTED = 12
"""Most tokens that are told with how often they are marked."""


def spread(windows: Sequence[Window], n: int) -> tuple[Window, ...]:
    """Up to `n` windows, evenly over the order that they come in; the first is always among them."""
    if len(windows) <= n:
        return tuple(windows)
    chosen = np.linspace(0, len(windows) - 1, n).round().astype(int)
    return tuple(windows[i] for i in chosen.tolist())


def firing_lines(windows: Sequence[Window], maximum: float, prefix: str = "") -> list[str]:
    """`3|the <<sea>> was|3 (8)`: numbered from 1, with the strongest activation in tenths of `maximum`."""
    lines: list[str] = []
    for number, window in enumerate(windows, 1):
        peak = max(window.activations, default=0.0)
        text = marked(window.tokens, _fired(window))
        strength = math.ceil(STRENGTHS * peak / maximum) if maximum > 0 else 1
        lines.append(fenced(f"{prefix}{number}", text, strength=min(STRENGTHS, max(1, strength))))
    return lines


def counted_tokens(windows: Sequence[Window]) -> list[str]:
    """The tokens that are marked in `windows` on one line, most frequent first, with how often each is.

    Counting is what small models are worst at: without this line they name what stands around the marks.
    """
    fired = [t for w in windows for t, hot in zip(w.tokens, _fired(w), strict=True) if hot]
    counts = Counter(fired).most_common(COUNTED)
    said = ", ".join(f"{json.dumps(token, ensure_ascii=False)} x{n}" for token, n in counts)
    return [fenced("marked", said)] if counts else []


def _fired(window: Window) -> list[bool]:
    peak = max(window.activations, default=0.0)
    return [peak > 0 and a > FIRED * peak for a in window.activations]


def plain_lines(texts: Sequence[str], prefix: str) -> list[str]:
    """`S3|the sea was|S3`: numbered from 1, nothing marked."""
    return [fenced(f"{prefix}{number}", text) for number, text in enumerate(texts, 1)]


def window_text(window: Window) -> str:
    """The window as plain text."""
    return "".join(window.tokens)


def token_line(effects: Sequence[TokenEffect], label: str) -> list[str]:
    """Output tokens on one line, quoted, in their order; no line where there are none."""
    quoted = ", ".join(json.dumps(e.token, ensure_ascii=False) for e in effects)
    return [fenced(label, quoted)] if effects else []
