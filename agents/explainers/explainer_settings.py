"""How much is asked of an explainer."""

from __future__ import annotations

from dataclasses import dataclass

from glossator.errors import SettingsError, listed
from glossator.probes.windows import WIDTH
from glossator.records import ExplanationMethod

ASKED = (
    ExplanationMethod.ONE_SHOT,
    ExplanationMethod.CONTRASTIVE,
    ExplanationMethod.OUTPUT_CENTRIC,
    ExplanationMethod.REFINED,
)
"""Methods that ask a model; the embedded analyst's explanation is always among the candidates anyway."""


@dataclass(frozen=True)
class ExplainerSettings:
    """Which explanations are asked for, from how many windows, and how they are compared.

    Raises:
        SettingsError: a method that asks no model, or a count out of range.
    """

    methods: tuple[ExplanationMethod, ...] = (ExplanationMethod.ONE_SHOT,)
    """In order of preference where two do equally well."""
    samples: int = 1
    """Answers to each question (n-best): the first at temperature 0, the others at `TEMPERATURE`."""
    n_windows: int = 20
    """Firing windows shown, spread over the strength of firing."""
    n_negatives: int = 8
    """Hard negatives shown by the contrastive method."""
    rounds: int = 2
    """Most corrections of the refining method."""
    n_validate: int = 20
    """Windows of `validate` that candidates are read on: half firing, a quarter random, a quarter hard."""
    n_judged: int = 20
    """Further windows of `explore`, in the same parts, on which refining looks for mistakes."""
    min_gain: float = 0.02
    """Balanced accuracy that a correction must gain on `validate` to be corrected further."""
    ask_predicate: bool = True
    """Ask for the claim in executable form as well."""
    width: int = WIDTH
    """Tokens per window that is drawn here."""

    def __post_init__(self) -> None:
        others = [m for m in self.methods if m not in ASKED]
        if others:
            raise SettingsError(
                f"{listed(others)} is not a method that asks a model: choose among {listed(ASKED)}"
            )
        if min(self.samples, self.n_windows, self.n_negatives, self.width) < 1:
            raise SettingsError(
                f"samples, n_windows, n_negatives and width are at least 1; "
                f"got {self.samples}, {self.n_windows}, {self.n_negatives} and {self.width}"
            )
        if min(self.n_validate, self.n_judged) < 4 or self.rounds < 0:
            raise SettingsError(
                f"n_validate and n_judged are at least 4 and rounds at least 0; "
                f"got {self.n_validate}, {self.n_judged} and {self.rounds}"
            )


TEMPERATURE = 0.7
"""Of every answer to a question after the first."""
