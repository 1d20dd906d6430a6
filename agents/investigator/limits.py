"""How far an investigation may go. Code keeps the limits; reaching one is a reason to stop, not an error."""

from __future__ import annotations

from dataclasses import dataclass

from glossator.errors import SettingsError


@dataclass(frozen=True)
class InvestigationLimits:
    """Bounds of one investigation.

    Raises:
        SettingsError: a bound out of range.
    """

    hypotheses: int = 4
    """Competing claims that are asked for at once."""
    tests: int = 12
    """Texts per round of experiments, and per challenge."""
    rounds: int = 4
    """Rounds of experiments."""
    stagnant: int = 2
    """Rounds in a row that moved nothing, after which it stops."""
    texts: int = 160
    """Texts that the subject reads for experiments; minimal contexts are bounded on their own."""
    seconds: float | None = None
    """Wall time, of this process and those before it; None for no limit."""
    decided: float = 0.9
    """Probability from which a hypothesis counts as believed."""
    breaks: int = 2
    """How often a leader that a challenge broke is corrected."""
    minimal: int = 3
    """Strong windows whose minimal context is looked for."""

    def __post_init__(self) -> None:
        counts = (self.hypotheses, self.tests, self.rounds, self.stagnant, self.texts)
        if min(counts) < 1 or min(self.breaks, self.minimal) < 0:
            raise SettingsError(
                "hypotheses, tests, rounds, stagnant and texts are at least 1, breaks and minimal 0; "
                f"got {', '.join(map(str, counts))} and {self.breaks}, {self.minimal}"
            )
        if not 0.5 < self.decided < 1 or (self.seconds is not None and self.seconds <= 0):
            raise SettingsError(
                f"decided {self.decided!r} must be between 0.5 and 1, seconds {self.seconds!r} above 0"
            )
