"""What a model is shown of an investigation, as the fenced lines of its prompts: `explore` text alone.

Texts of corpora, models and memory are data: every line is fenced, and nothing in it can close its fence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.explainers.shown_windows import (
    counted_tokens,
    firing_lines,
    plain_lines,
    spread,
    token_line,
    window_text,
)
from glossator.agents.investigator.proposer import Observed, Standing
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt, predicate_help
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import Finding, Hypothesis, Outcome, TriedText, Window

WINDOWS, FEW_WINDOWS, SILENT = 16, 6, 8
"""Windows shown where claims are asked for, and beside texts; silent windows."""
TRIED = 24
"""Texts that were tried before, the latest."""
JUDGED = 10
"""Texts on which the leader was wrong."""
RECALLED = 6
"""Notes from memory."""
_DID = {Outcome.FIRES: "fired", Outcome.WEAK: "fired weakly", Outcome.SILENT: "was silent"}


class Shown(NamedTuple):
    """One feature's investigation, with everything halved so many times where a context is small."""

    observed: Observed
    halvings: int = 0

    def hypotheses(self, k: int) -> RenderedPrompt:
        """Asks for claims."""
        shown = self.observed.shown
        silent = [window_text(w) for w in shown.silent_windows]
        return load_prompt("investigate_hypotheses").render(
            windows=self._firing(WINDOWS),
            silent=plain_lines(silent[: self._fewer(SILENT)], "S"),
            tokens=counted_tokens(self._windows(WINDOWS)),
            promoted=token_line(shown.effects.promoted, "likelier"),
            priors=self._notes(self.observed.recalled, "P"),
            distractors=self._notes(self.observed.distractors, "D"),
            k=k,
            predicate_help=predicate_help(),
        )

    def tests(self, standing: Standing, n: int) -> RenderedPrompt:
        """Asks for texts that could refute."""
        return load_prompt("investigate_tests").render(
            hypotheses=claims(standing.hypotheses, "H"),
            windows=self._firing(FEW_WINDOWS),
            tried=self._tried(standing),
            n=n,
        )

    def challenges(self, standing: Standing, n: int) -> RenderedPrompt:
        """Asks for texts that could break the leader; there must be one."""
        leader, *rivals = standing.hypotheses
        return load_prompt("investigate_challenge").render(
            leader=fenced("C", leader.text),
            rivals=claims(rivals, "R"),
            windows=self._firing(FEW_WINDOWS),
            tried=self._tried(standing),
            n=n,
        )

    def refine(self, standing: Standing, k: int) -> RenderedPrompt:
        """Asks for better claims."""
        wrong = _mistakes(standing)
        rest = [t for e in standing.experiments for t in e.tested if t not in wrong]
        return load_prompt("investigate_refine").render(
            hypotheses=claims(standing.hypotheses, "H"),
            mistakes=_outcomes(wrong[-self._fewer(JUDGED) :], "M", told=True),
            tried=_outcomes(rest[-self._fewer(TRIED) :], "T"),
            windows=self._firing(FEW_WINDOWS),
            tokens=counted_tokens(self._windows(WINDOWS)),
            k=k,
            predicate_help=predicate_help(),
        )

    def _firing(self, n: int) -> list[str]:
        return firing_lines(self._windows(n), self.observed.shown.max_activation)

    def _windows(self, n: int) -> tuple[Window, ...]:
        return spread(self.observed.shown.windows, self._fewer(n))

    def _tried(self, standing: Standing) -> list[str]:
        tried = [t for e in standing.experiments for t in e.tested]
        return _outcomes(tried[-self._fewer(TRIED) :], "T")

    def _notes(self, findings: Sequence[Finding], prefix: str) -> list[str]:
        said = [f"{f.kind.value} ({f.verdict}): {f.text}" if f.verdict else f"{f.kind.value}: {f.text}"
                for f in findings[: self._fewer(RECALLED)]]  # fmt: skip
        return plain_lines(said, prefix)

    def _fewer(self, n: int) -> int:
        return max(1, math.ceil(n / 2**self.halvings))


def claims(hypotheses: Sequence[Hypothesis], prefix: str) -> list[str]:
    """Hypotheses in their order, numbered from 1."""
    return plain_lines([h.text for h in hypotheses], prefix)


def _outcomes(tried: Sequence[TriedText], prefix: str, *, told: bool = False) -> list[str]:
    """Texts with what the feature did on each and, if `told`, with what was predicted."""
    lines: list[str] = []
    for number, one in enumerate(tried, 1):
        before = f"predicted {one.expected.value}, " if told else ""
        lines.append(fenced(f"{prefix}{number}", f"{before}{_DID[one.outcome]}: {one.text}"))
    return lines


def _mistakes(standing: Standing) -> list[TriedText]:
    """Decided texts of the leader's own experiments that did not do what it predicted."""
    return [
        tried
        for e in standing.experiments
        if standing.leader is not None and e.hypothesis == standing.leader.id
        for tried in e.tested
        if tried.outcome is not Outcome.WEAK and tried.outcome.value != tried.expected.value
    ]
