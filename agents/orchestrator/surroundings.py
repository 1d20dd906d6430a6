"""What a request may use beside planner and tools."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glossator.agents.orchestrator.contradictions import ContradictionCheck
from glossator.agents.orchestrator.planner import Planner
from glossator.memory.finding_store import FindingStore

if TYPE_CHECKING:
    from glossator.agents.llm_calls.call_room import CallRoom
else:
    CallRoom = Any


@dataclass(frozen=True)
class Surroundings:
    """What a request may use beside planner and tools; everything can be left out."""

    calls: CallRoom | None = None
    """Where models are asked: meters what the request costs."""
    memory: FindingStore | None = None
    """Keeps what tools find worth remembering."""
    contradictions: ContradictionCheck | None = None
    """Holds the answer against stored findings."""
    stop: Callable[[], bool] = lambda: False
    """Asked before each step; True ends the request with what was found so far."""
    fallback: Planner | None = None
    """Goes on where the planner gives no usable reply, or the same call, too often; None ends there."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
