"""What each method asks: a prompt filled with what it shows of the feature."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import Material
from glossator.agents.explainers.shown_windows import (
    counted_tokens,
    firing_lines,
    plain_lines,
    spread,
    token_line,
    window_text,
)
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt, predicate_help
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import ExplanationMethod, Window

OUTPUT_WINDOWS = 6
"""Firing windows shown beside output tokens, which are what that method is about."""
MOST_STEERED = 6
"""Texts written with the feature turned up that are shown beside output tokens."""
REFINE_WINDOWS = 8
"""Firing windows shown beside mistakes."""
MOST_MISTAKES = 5
"""Misses, and false alarms, that are fed back at once: the worst."""


@dataclass(frozen=True)
class Mistakes:
    """Where a reader with the claim went wrong on `explore`, worst first."""

    claim: str
    misses: tuple[Window, ...]
    false_alarms: tuple[str, ...]
    """Texts of silent windows that it took for firing ones."""

    def __bool__(self) -> bool:
        return bool(self.misses or self.false_alarms)


@dataclass(frozen=True)
class Question:
    """One method's question about one feature, with as many windows as the model's context takes."""

    method: ExplanationMethod
    material: Material
    settings: ExplainerSettings
    mistakes: Mistakes | None = None
    """For the refining method."""

    def nothing_to_show(self) -> str | None:
        """Why the question cannot be asked; None if it can."""
        if self.method is ExplanationMethod.OUTPUT_CENTRIC:
            effects = self.material.effects
            return None if effects.promoted or effects.suppressed else "no output tokens to show"
        if not self.material.windows:
            return "no windows to show"
        if self.method is ExplanationMethod.CONTRASTIVE and not self.material.silent:
            return "no silent windows to show"
        return None

    @property
    def with_predicate(self) -> bool:
        """Whether the answer may hold a predicate: output tokens say nothing about where it fires."""
        return self.settings.ask_predicate and self.method is not ExplanationMethod.OUTPUT_CENTRIC

    def prompt(self, halvings: int) -> RenderedPrompt:
        """The prompt, with the number of windows halved so many times."""
        help_text = predicate_help() if self.with_predicate else ""
        if self.method is ExplanationMethod.OUTPUT_CENTRIC:
            return load_prompt("explain_output_centric").render(
                promoted=token_line(self.material.effects.promoted, "likelier"),
                suppressed=token_line(self.material.effects.suppressed, "unlikelier"),
                steering=plain_lines(self.material.steering[: _halved(MOST_STEERED, halvings)], "T"),
                windows=self._firing(OUTPUT_WINDOWS, halvings),
            )
        if self.method is ExplanationMethod.CONTRASTIVE:
            silent = [window_text(w) for w in self.material.silent]
            return load_prompt("explain_contrastive").render(
                windows=self._firing(self.settings.n_windows, halvings),
                tokens=counted_tokens(self._shown(self.settings.n_windows, halvings)),
                negatives=plain_lines(silent[: _halved(self.settings.n_negatives, halvings)], "S"),
                predicate_help=help_text,
            )
        if self.mistakes is not None:
            return self._refine(self.mistakes, halvings, help_text)
        return load_prompt("explain_one_shot").render(
            windows=self._firing(self.settings.n_windows, halvings),
            tokens=counted_tokens(self._shown(self.settings.n_windows, halvings)),
            predicate_help=help_text,
        )

    def _refine(self, mistakes: Mistakes, halvings: int, help_text: str) -> RenderedPrompt:
        shown = _halved(MOST_MISTAKES, halvings)
        return load_prompt("explain_refine").render(
            claim=fenced("C", mistakes.claim),
            misses=firing_lines(mistakes.misses[:shown], self.material.max_activation, "M"),
            false_alarms=plain_lines(mistakes.false_alarms[:shown], "F"),
            windows=self._firing(REFINE_WINDOWS, halvings),
            tokens=counted_tokens(self._shown(REFINE_WINDOWS, halvings)),
            predicate_help=help_text,
        )

    def _firing(self, n: int, halvings: int) -> list[str]:
        return firing_lines(self._shown(n, halvings), self.material.max_activation)

    def _shown(self, n: int, halvings: int) -> tuple[Window, ...]:
        n = min(n, self.settings.n_windows, len(self.material.windows))
        return spread(self.material.windows, _halved(n, halvings))


def _halved(n: int, times: int) -> int:
    return max(1, math.ceil(n / 2**times))
