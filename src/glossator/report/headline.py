"""Which scores stand for a feature in a table: chosen where a run needs them too, in `agents.headline`."""

from __future__ import annotations

from glossator.agents.headline import (
    USUAL_THRESHOLD,
    Headline,
    baseline_of,
    headline,
    headline_of,
    headline_value,
    is_llm,
)

__all__ = [
    "Headline",
    "USUAL_THRESHOLD",
    "baseline_of",
    "headline",
    "headline_of",
    "headline_value",
    "is_llm",
]
