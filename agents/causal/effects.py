"""What turning a feature up does to the next token. Signatures only, so far."""

from __future__ import annotations

from glossator.agents.causal.bench import CausalBench
from glossator.records import EffectFindings, StrengthCalibration


def measure_effects(
    bench: CausalBench, feature: int, up: StrengthCalibration, down: StrengthCalibration | None = None
) -> EffectFindings:
    """Tokens that rise and fall, the concept, and the dose–response curve; on prompts of `validate`."""
    raise NotImplementedError
