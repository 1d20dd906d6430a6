"""What a strength that was asked for comes to: tuned on prompts of `validate`, and known to be safe."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from glossator.agents.causal.causal_work import CausalWork
from glossator.errors import UserError
from glossator.probes.interventions.intervention import EVERYWHERE, LAST_ONWARD, Positions
from glossator.probes.interventions.runs import Prompt
from glossator.probes.interventions.steering_prompts import draw_prompts
from glossator.probes.interventions.strength_search import calibrate, kl_at, largest_safe_multiple
from glossator.probes.interventions.strength_text import Strength, parse_strength
from glossator.records import EvidenceKind, KlTarget, Record, StrengthCalibration

POSITIONS = {"all": EVERYWHERE, "last": LAST_ONWARD, "generated": Positions(first=0, stop=0)}
"""Where a direction may be added, by the words of the command line."""
_LARGEST = 1e38
"""Multiples above this are infinite in float32 whatever the feature."""


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
    kl_validate: float
    """Mean next-token KL on prompts of `validate`, in nats."""
    n_validate: int = Field(ge=1)
    """Those prompts."""
    target: KlTarget | None
    """What was searched for; None for a multiple."""
    evidence: str | None
    """Id of the calibration behind it; None for a multiple."""


def counted_positions(positions: Positions) -> Positions:
    """Where a direction is added while the token after a prompt is looked at. Where only generated tokens
    are touched the prompt's last token stands for one, since the prompt itself is left alone."""
    return LAST_ONWARD if positions.stop == 0 else positions


def resolve_strength(causal: CausalWork, text: str, positions: Positions) -> StrengthUsed:
    """The strength that `text` asks for, with the KL that it reaches on `validate`.

    Raises:
        UserError: it cannot be read, or makes the subject give infinities or NaN.

    """
    asked = parse_strength(text)
    if asked.kl is not None:
        return _tuned(causal, text, asked, positions)
    assert asked.multiple is not None, "a strength is a multiple or a KL"
    prompts = validate_prompts(causal)
    bench, counted = causal.bench, counted_positions(positions)
    kls = kl_at(bench.runs, prompts, causal.steered, [asked.multiple], positions=counted)[0]
    kl = float(kls.mean())
    if not math.isfinite(kl):
        raise unsafe(causal, prompts, asked.multiple)
    return _used(causal, text, asked.multiple, kl, len(prompts))


def validate_prompts(causal: CausalWork) -> tuple[Prompt, ...]:
    """Prompts of `validate` of every family, on which strengths are tuned."""
    bench, settings = causal.bench, causal.bench.settings
    drawn = draw_prompts(
        bench.room.validate, bench.runs, causal.ref.index, per_family=settings.per_family,
        tokens=settings.prompt_tokens, seed=settings.seed, max_activation=causal.steered.max_activation,
    )  # fmt: skip
    return tuple(prompt.ids for prompt in drawn)


def unsafe(causal: CausalWork, prompts: Sequence[Prompt], multiple: float) -> UserError:
    """The error for a strength at which the subject gives infinities or NaN, with the largest safe one."""
    sign, upper, safe = (-1 if multiple < 0 else 1), min(abs(multiple), _LARGEST), 0.0
    while safe == 0 and upper > 1e-6:  # each call looks twelve powers of ten down
        safe = largest_safe_multiple(causal.bench.runs, prompts, causal.steered, sign, upper)
        upper /= 1e12
    advice = f"the largest safe strength found is {sign * safe:.3g}x" if safe else "no strength is safe"
    subject = causal.bench.runs.subject
    return UserError(
        f"the strength {multiple:g}x of feature {causal.ref.index} makes {subject.name} give infinities or "
        f"NaN: {advice}"
    )


def _tuned(causal: CausalWork, text: str, asked: Strength, positions: Positions) -> StrengthUsed:
    """Matched to a KL; the calibration is stored, and taken from the ledger where it stands there."""
    assert asked.kl is not None, "asked for by KL"
    counted = counted_positions(positions)
    recipe = causal.recipe("strengths", targets=[asked.kl], sign=asked.sign, positions=list(counted))
    stored = causal.done(recipe)
    if not stored:
        found = calibrate(
            causal.bench.runs, validate_prompts(causal), causal.steered,
            targets=[asked.kl], sign=asked.sign, positions=counted,
        )  # fmt: skip
        stored = [causal.evidence(EvidenceKind.STRENGTHS, recipe, found.model_dump(mode="json"))]
        causal.store(recipe, stored)
    calibration = causal.read(StrengthCalibration, stored[-1])
    target = calibration.targets[0]
    used = _used(causal, text, target.multiple, target.kl, calibration.n_prompts)
    return used.model_copy(update={"target": target, "evidence": stored[-1].id})


def _used(causal: CausalWork, text: str, multiple: float, kl: float, n: int) -> StrengthUsed:
    activation = multiple * causal.steered.max_activation
    return StrengthUsed(
        asked=text, multiple=multiple, activation=activation,
        norm=abs(activation) * float(causal.steered.direction.norm()),
        kl_validate=kl, n_validate=n, target=None, evidence=None,
    )  # fmt: skip
