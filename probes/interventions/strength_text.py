"""Strengths as a person writes them: `auto`, `2x`, `2`, `-0.5x`, `kl=0.33`."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from glossator.errors import UserError

AUTO_KL = 0.33
"""What `auto` aims at, in nats: a change to be seen that mostly leaves the text fluent. On the starter
subject 1 nat multiplies the perplexity of what follows by 5 to 9."""
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_FORMS = "auto, multiples of the feature's largest activation such as 2x or -0.5x, or kl=0.33"


class Strength(NamedTuple):
    """Multiples that are given, or a next-token KL that they are to be matched to: one of the two."""

    multiple: float | None
    """Of the feature's largest activation; negative turns it down, 0 changes nothing."""
    kl: float | None
    """In nats, above 0."""
    sign: int
    """1 turns the feature up, -1 down."""


def parse_strength(text: str) -> Strength:
    """What `text` asks for; a minus turns the feature down, also before `auto` and a KL.

    Raises:
        UserError: it is no strength, or not finite.
    """
    plain = re.sub(r"\s+", "", text.lower())
    if plain.lstrip("+-") == "auto" and len(plain) <= len("-auto"):
        return Strength(None, AUTO_KL, -1 if plain.startswith("-") else 1)
    match = re.fullmatch(rf"(-?)(kl[=:])?({_NUMBER})(x?)", plain)
    if match is None or (match[2] is None and match[1] and match[3][0] in "+-") or (match[2] and match[4]):
        raise UserError(f"no strength {text!r}: write {_FORMS}")
    sign = -1 if match[1] else 1
    value = sign * float(match[3])
    if not math.isfinite(value):
        raise UserError(f"the strength {text!r} is not finite: write {_FORMS}")
    if match[2] is None:
        return Strength(value, None, -1 if value < 0 else 1)
    if value == 0:
        return Strength(0.0, None, 1)
    return Strength(None, abs(value), -1 if value < 0 else 1)
