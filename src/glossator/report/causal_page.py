"""One feature's causal evidence as an HTML page of its own, for a command's `--out`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glossator.records import (
    EffectFindings,
    Explanation,
    InterventionScore,
    RoleFinding,
    StrengthCalibration,
    StressReport,
)


def write_causal_page(
    path: Path,
    title: str,
    *,
    effects: EffectFindings | None = None,
    calibrations: Sequence[StrengthCalibration] = (),
    explanation: Explanation | None = None,
    scores: Sequence[InterventionScore] = (),
    role: RoleFinding | None = None,
    stress: StressReport | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the page to `path`, whole or not at all, and give `path` back; what is not given is left out.

    Raises:
        StorageError: it cannot be written.
    """
    raise NotImplementedError
