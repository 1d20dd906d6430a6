"""Limits of one request, kept by code. Money, tokens and LLM calls are limited by the call room's budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OrchestratorLimits:
    """What one request may take."""

    steps: int = 14
    """Decisions of the planner; the last may only be the answer."""
    tool_calls: int = 16
    """Tools run, failed calls among them."""
    seconds: float = 1800.0
    """Wall time after which no further step begins."""
    misses: int = 2
    """Replies in a row that cannot be used, or calls that were made before, before the loop gives up."""
