"""How far a build is, and what to say when one has to be run again."""

from __future__ import annotations

from typing import NamedTuple

NEXT_STEP = "run `glossator index build`"
"""What repairs or finishes an index."""


class BuildProgress(NamedTuple):
    """One report of a running build."""

    stage: str
    """`reading` (documents), `encoding` (tokens) or `summing` (shards)."""
    done: int
    """Units done, those of earlier runs included."""
    total: int
    """Units in all; 0 where that is not known."""
    rate: float
    """Units per second in this run; 0 before the first."""

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None while that is unknown."""
        return (self.total - self.done) / self.rate if self.rate > 0 and self.total else None
