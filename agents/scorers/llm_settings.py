"""How much an LLM is asked for one score. One place, so that scores of one run are comparable."""

from __future__ import annotations

from dataclasses import dataclass

from glossator.records import ScoreMethod


@dataclass(frozen=True)
class LlmScoringSettings:
    """Methods and sizes; a stage is what is read between two looks at the interval."""

    methods: tuple[ScoreMethod, ...] = (ScoreMethod.DETECTION, ScoreMethod.FUZZING)
    """Questions that are asked, in this order."""
    half_width: float = 0.1
    """Narrow enough: reading stops when every interval's half-width is at most this."""
    stop_when_clear: bool = True
    """Stop as well where the interval is wide but wholly on one side of the verdict's threshold."""
    rough_half_width: float = 0.2
    """The same for explanations that stand beside the chosen one, to be compared with it."""
    first: int = 10
    """Windows per group in the first stage."""
    step: int = 5
    """Windows per group in each further stage."""
    max_firing: int = 50
    """Most firing windows that are read."""
    max_random: int = 50
    """Most random silent windows; in fuzzing, most silent windows with marks."""
    max_hard: int = 50
    """Most hard negatives; in fuzzing, most wrongly marked firing windows."""
    n_baseline: int = 5
    """Windows per group that are read with no claim and with other features' claims; 0 for none."""
    donors_read: int = 3
    """At least so many other claims share those windows, as far as there are as many prompts."""
    intruder_questions: int = 10
    """Questions per kind of negative; each has five windows."""
    assumed_accuracy: float | None = None
    """For estimates: take answers as right at this rate, whatever they are, to know how many stages
    are likely. None where answers are real."""
