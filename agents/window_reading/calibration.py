"""How many windows one prompt may hold: measured, because small models lose count and large ones do not.

A few claims are read with one window per prompt and with several. The most that a model answers as it
would alone, and about as rightly, is taken: every window more per prompt saves the words around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int8
from pydantic import Field

from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.window_reading.reader import LlmReader
from glossator.records import Record

LEAST_AGREEMENT = 0.8
"""Share of windows that must be answered as with one window per prompt."""
MARGIN = 0.05
"""How much accuracy may be lost."""


@dataclass(frozen=True)
class ClaimedWindows:
    """Windows of `validate` whose truth is known, with a claim about them."""

    claim: str
    texts: tuple[str, ...]
    fires: Bool[np.ndarray, " windows"]


class PromptSizeTrial(Record):
    """What came of one number of windows per prompt. A window without a usable answer is a wrong one."""

    windows_per_prompt: int = Field(ge=1)
    accuracy: float
    """Share of windows answered rightly."""
    agreement: float
    """Share of windows answered as with one window per prompt."""
    kappa: float | None
    """Cohen's, with one window per prompt; None where either answers all windows alike."""
    unanswered: int = Field(ge=0)
    """Windows without a usable answer."""
    calls: int = Field(ge=0)


class PromptSizeChoice(Record):
    """The number of windows per prompt that a run uses, and why."""

    reader: str
    """The model."""
    windows_per_prompt: int = Field(ge=1)
    windows: int = Field(ge=0)
    """How many windows each size was tried on."""
    trials: tuple[PromptSizeTrial, ...]


async def choose_windows_per_prompt(
    calls: CallRoom,
    items: Sequence[ClaimedWindows],
    sizes: Sequence[int] = (1, 5, 10),
    *,
    least_agreement: float = LEAST_AGREEMENT,
    margin: float = MARGIN,
) -> PromptSizeChoice:
    """The largest of `sizes` that agrees with reading windows singly and is about as accurate.

    Args:
        calls: where the scorer is asked.
        items: a few features' windows of `validate`, firing and silent mixed; without any, 1 is chosen.
        sizes: to choose from; 1 is always tried, as what the others are held against.
        least_agreement: with single reading.
        margin: of accuracy that may be lost.
    """
    truth = np.concatenate([item.fires for item in items]) if items else np.zeros(0, dtype=bool)
    trials: list[PromptSizeTrial] = []
    single: np.ndarray | None = None
    for size in sorted({1, *sizes}) if len(truth) else []:
        reader = LlmReader(calls, size)
        readings = [await reader.detect(item.claim, item.texts) for item in items]
        said = np.concatenate([r.fires for r in readings])
        single = said if single is None else single
        trials.append(_trial(size, truth, said, single, sum(r.calls for r in readings)))
    fit = [
        t.windows_per_prompt
        for t in trials
        if t.agreement >= least_agreement and t.accuracy >= trials[0].accuracy - margin
    ]
    return PromptSizeChoice(
        reader=calls.model(Role.SCORER),
        windows_per_prompt=max(fit, default=1),
        windows=len(truth),
        trials=tuple(trials),
    )


def _trial(
    size: int,
    truth: Bool[np.ndarray, " windows"],
    said: Int8[np.ndarray, " windows"],
    single: Int8[np.ndarray, " windows"],
    calls: int,
) -> PromptSizeTrial:
    answered = said >= 0
    return PromptSizeTrial(
        windows_per_prompt=size,
        accuracy=float((answered & (said == truth)).mean()),
        agreement=float((answered & (said == single)).mean()),
        kappa=cohens_kappa(single, said),
        unanswered=int((~answered).sum()),
        calls=calls,
    )


def cohens_kappa(first: Int8[np.ndarray, " windows"], second: Int8[np.ndarray, " windows"]) -> float | None:
    """Agreement beyond chance on the windows that both answered; None where chance leaves no room."""
    both = (first >= 0) & (second >= 0)
    if not both.any():
        return None
    one, two = first[both] == 1, second[both] == 1
    by_chance = float(one.mean() * two.mean() + (~one).mean() * (~two).mean())
    return None if by_chance >= 1 else (float((one == two).mean()) - by_chance) / (1 - by_chance)
