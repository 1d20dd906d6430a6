"""How strongly to steer, as it is written on the command line, and what that comes to.

`2x` is twice the feature's largest activation on `explore`, `-1x` turns it down by as much, `kl=0.33` is
the strength that moves the next token by 0.33 nats on prompts of `validate`, `kl=-0.33` the same downwards,
and `auto` is `kl=1`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from glossator.errors import SettingsError
from glossator.records import KlTarget, Record

if TYPE_CHECKING:
    from glossator.agents.causal.bench import CausalBench
    from glossator.probes.interventions.intervention import Positions
else:
    CausalBench = Positions = Any

AUTO_KL = 1.0
"""What `auto` aims at: the level at which effects are compared and explained."""
_FORMS = "write auto, a multiple such as 2x or -1x, or a target such as kl=0.33"
_LARGEST_KL = 20.0


class StrengthAsked(NamedTuple):
    """A strength as it was asked for: exactly one of the two is set."""

    text: str
    multiple: float | None = None
    """Of the feature's largest activation on `explore`."""
    kl: float | None = None
    """Target in nats; negative turns the feature down."""


class StrengthUsed(Record):
    """The strength that was used, in every unit."""

    asked: str
    """As it was written."""
    multiple: float
    """Of the feature's largest activation on `explore`."""
    activation: float
    """The same in units of activation."""
    norm: float = Field(ge=0)
    """Length of the vector that is added."""
    kl_validate: float | None
    """Mean next-token KL on prompts of `validate`, in nats; None where the subject gave NaN."""
    n_validate: int = Field(ge=0)
    """Those prompts."""
    target: KlTarget | None
    """What was searched for; None for a multiple."""
    evidence: str | None
    """Id of the calibration behind it; None for a multiple."""


def parse_strength(text: str) -> StrengthAsked:
    """The strength that `text` asks for.

    Raises:
        SettingsError: it is no strength, is zero or not a number, or a KL is out of range.

    """
    word = text.strip().lower()
    if word == "auto":
        return StrengthAsked(text, kl=AUTO_KL)
    match = re.fullmatch(r"(?:(kl)\s*=\s*)?([+-]?[0-9.e+-]+|[+-]?nan|[+-]?inf)\s*(x?)", word)
    if match is None or bool(match[1]) == bool(match[3]):
        raise SettingsError(f"cannot read the strength {text!r}: {_FORMS}")
    try:
        value = float(match[2])
    except ValueError as error:
        raise SettingsError(f"cannot read the strength {text!r}: {_FORMS}") from error
    if not math.isfinite(value) or value == 0:
        raise SettingsError(f"the strength {text!r} is {value}: {_FORMS}, finite and not 0")
    if not match[1]:
        return StrengthAsked(text, multiple=value)
    if abs(value) > _LARGEST_KL:
        raise SettingsError(
            f"a next-token KL of {abs(value)} nats is out of reach: ask for at most {_LARGEST_KL:g}; "
            "3 changes nearly every prediction"
        )
    return StrengthAsked(text, kl=value)
