"""Labels that quote their windows: they may be recognised rather than understood.

A quote is a run of at least four words of the label that stands in a window word for word, case and
punctuation aside, and holds at least two words that are not function words. From six words on, a run
counts whatever it is made of: "at the end of the" is everybody's, "as it was in the beginning" is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from glossator.agents.embedded_analyst.closed_classes import CLOSED_CLASSES
from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.room import ScoringRoom
from glossator.probes.windows import window_texts
from glossator.records import Explanation, ExplanationFlag

SHORTEST = 4
"""Words of a quote."""
TELLING = 2
"""Words of a short quote that are not function words."""
ANY_WORDS = 6
"""Words from which on a run is a quote even if all are function words."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FUNCTION_CLASSES = (
    'forms of "be"', 'forms of "have"', 'forms of "do"', "modal verbs", "negations", "words of contrast",
    "subject pronouns", "third-person pronouns", "first-person pronouns", "second-person pronouns",
    "object pronouns", "possessive pronouns", "reflexive pronouns", "demonstratives", "relative pronouns",
    "question words", "articles", "conjunctions", "indefinite pronouns", "quantity words",
    "conditional words", "prepositions", "prepositions of place",
)  # fmt: skip
_FUNCTION_WORDS = frozenset(w for c in CLOSED_CLASSES if c.name in _FUNCTION_CLASSES for w in c.words)


class _Run(NamedTuple):
    start: int
    stop: int


def quotes(label: str, texts: Sequence[str]) -> str | None:
    """The longest run of words of `label` that quotes one of `texts`, case-folded; None if none does.

    The texts become one long line of words; a label needs at most two searches in it per word.
    """
    return _longest_quote(_words(label), _one_line(texts))


def flagged(
    explanation: Explanation, room: ScoringRoom, examples: ScoringExamples, shown: Sequence[str] = ()
) -> Explanation:
    """`explanation` with `QUOTES_WINDOWS` set or taken away.

    Args:
        explanation: its text is looked at.
        room: where the sealed examples are from.
        examples: the windows on which it is scored.
        shown: texts of windows that its author saw.
    """
    found = quotes(explanation.text, [*shown, *window_texts(room.sealed, examples.windows)])
    others = tuple(f for f in explanation.flags if f is not ExplanationFlag.QUOTES_WINDOWS)
    flags = others if found is None else (*others, ExplanationFlag.QUOTES_WINDOWS)
    return explanation.model_copy(update={"flags": flags})


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _one_line(texts: Sequence[str]) -> str:
    """All words with single spaces, a bar between texts, so that no run goes across."""
    return " | ".join(("", *(" ".join(_words(text)) for text in texts), ""))


def _longest_quote(label: list[str], line: str) -> str | None:
    found = [
        " ".join(label[r.start : r.stop]) for r in _runs(label, line) if _counts(label[r.start : r.stop])
    ]
    return max(found, key=lambda run: run.count(" "), default=None)


def _runs(label: list[str], line: str) -> Iterator[_Run]:
    """Every longest run of the label that stands in the line: two ends that only move forward."""
    stop = 0
    for start in range(len(label)):
        before, stop = stop, max(stop, start)
        while stop < len(label) and f" {' '.join(label[start : stop + 1])} " in line:
            stop += 1
        if stop - start >= SHORTEST and stop > before:
            yield _Run(start, stop)


def _counts(run: Sequence[str]) -> bool:
    return len(run) >= ANY_WORDS or sum(w not in _FUNCTION_WORDS for w in run) >= TELLING
