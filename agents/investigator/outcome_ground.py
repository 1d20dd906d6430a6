"""Experiments as a small text with firings: what a proposer can know of them, without the subject.

A proposer sees of a text that fired only the token where it fired most, so the other tokens of that text
are left open; a silent text is silent at every token. Texts are cut into the tokens of the corpus'
vocabulary, longest first, which is how the subject reads nearly all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.investigator.exception_regions import Ground
from glossator.agents.investigator.run_texts import RunTexts
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.text_activations import TextProfile
from glossator.probes.vocabulary import Vocabulary
from glossator.records import Experiment, Outcome, Predicate, TriedText

_CUT = re.compile(r"'(?:s|t|re|ve|m|ll|d)\b| ?[^\W\d_]+| ?\d|_| ?[^\s\w]+|\s+(?!\S)|\s+")
_LONGEST = 16


@dataclass(frozen=True)
class Speller:
    """Cuts text into tokens of a vocabulary."""

    vocabulary: Vocabulary

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.vocabulary.texts)

    def tokens(self, text: str) -> tuple[str, ...]:
        """The text's tokens, as far as the vocabulary tells."""
        return tuple(t for piece in _CUT.findall(text) for t in self._cut(piece))

    def _cut(self, piece: str) -> list[str]:
        out: list[str] = []
        while piece:
            n = next((n for n in range(min(len(piece), _LONGEST), 1, -1) if piece[:n] in self._known), 1)
            out.append(piece[:n])
            piece = piece[n:]
        return out


class Outcomes:
    """Every text that was tried, each once, with what it did."""

    def __init__(self, speller: Speller, experiments: Sequence[Experiment]) -> None:
        tried = {t.text: t for e in experiments for t in e.tested}
        self.tried: tuple[TriedText, ...] = tuple(tried.values())
        self._tokens = [speller.tokens(t.text) for t in self.tried]

    @cached_property
    def _read(self) -> RunTexts:
        return RunTexts.of([TextProfile(t, np.zeros(len(t), np.float32)) for t in self._tokens])

    @cached_property
    def ground(self) -> Ground:
        """Where it fired, where it was silent, and what is open."""
        wanted = np.full(len(self._read.text), -1, dtype=np.int8)
        starts = self._read.text.row_start.tolist()
        for tried, tokens, start in zip(self.tried, self._tokens, starts, strict=False):
            if tried.outcome is Outcome.SILENT:
                wanted[start : start + len(tokens)] = 0
            elif tried.outcome is Outcome.FIRES and (at := _last(tokens, tried.token)) is not None:
                wanted[start + at] = 1
        wanted[~self._read.text.eligible] = -1
        strong = np.flatnonzero(wanted == 1)
        target = FiringTarget(wanted, strong, np.zeros(0, np.int64), np.flatnonzero(wanted == 0))
        return Ground(self._read.stats, target)

    @cached_property
    def decided(self) -> Bool[np.ndarray, " texts"]:
        """Which texts spoke for one side."""
        return np.array([t.outcome is not Outcome.WEAK for t in self.tried], dtype=bool)

    @cached_property
    def fired(self) -> Bool[np.ndarray, " texts"]:
        """Which texts fired."""
        return np.array([t.outcome is Outcome.FIRES for t in self.tried], dtype=bool)

    def predicted(self, predicate: Predicate) -> Bool[np.ndarray, " texts"]:
        """On which texts the predicate holds somewhere."""
        return holds_in(self._read, predicate)

    def accuracy(self, predicate: Predicate) -> float:
        """Share of the decided texts of which it predicts what they did; 1 where there are none."""
        right = (self.predicted(predicate) == self.fired)[self.decided]
        return float(right.mean()) if len(right) else 1.0

    def silent_tokens(self) -> dict[str, int]:
        """Tokens of silent texts, and in how many of them they stand; the first of a text does not count."""
        out: dict[str, int] = {}
        for tried, tokens in zip(self.tried, self._tokens, strict=True):
            if tried.outcome is Outcome.SILENT:
                for token in set(tokens[1:]):
                    out[token] = out.get(token, 0) + 1
        return out

    def fired_tokens(self, shift: int = 0) -> dict[str, int]:
        """Tokens at `shift` from where a text fired, and in how many texts."""
        out: dict[str, int] = {}
        for tried, tokens in zip(self.tried, self._tokens, strict=True):
            at = _last(tokens, tried.token) if tried.outcome is Outcome.FIRES else None
            if at is not None and 0 <= at + shift < len(tokens):
                out[tokens[at + shift]] = out.get(tokens[at + shift], 0) + 1
        return out


def holds_in(read: RunTexts, predicate: Predicate) -> Bool[np.ndarray, " texts"]:
    """In which texts a predicate holds at a token that counts."""
    held = evaluate(predicate, read.text, read.stats.words) & read.text.eligible
    total: Float[np.ndarray, " bounds"] = np.concatenate([[0], np.cumsum(held)])
    return total[read.text.row_start[1:]] > total[read.text.row_start[:-1]]


def _last(tokens: Sequence[str], token: str) -> int | None:
    """Where a token stands last; the first place of a text does not count."""
    return next((i for i in range(len(tokens) - 1, 0, -1) if tokens[i] == token), None)
