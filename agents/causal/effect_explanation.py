"""What a feature causes, in words, by the embedded analyst. Signatures only, so far."""

from __future__ import annotations

from glossator.agents.causal.bench import CausalBench
from glossator.records import EffectFindings, Explanation

AUTHOR = "embedded-analyst/1"


def effect_explanation(
    bench: CausalBench, effects: EffectFindings, author: str = AUTHOR
) -> Explanation | None:
    """The concept in plain words, and as a predicate; None where there is no concept."""
    raise NotImplementedError
