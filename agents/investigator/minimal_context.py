"""The fewest tokens of a firing text on which a feature still fires: tokens are deleted while it does.

Delta debugging (Zeller and Hildebrandt 2002, https://doi.org/10.1109/32.988498), with two short cuts: what
stands after the peak goes first, and short ends before it are tried at once. Each list of candidates is one
batch. A subject without a row prefix never counts the first token, so something is left before the peak.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from glossator.agents.investigator.reads_texts import ReadsTexts
from glossator.probes.text_activations import TextProfile
from glossator.records import MinimalContext

_WORDS = re.compile(r"\s*\S+|\s+")
_ENDS = (1, 2, 3, 5, 9, 17, 33, 65, 129)


def minimal_context(
    activations: ReadsTexts, feature: int, text: str, threshold: float, *, most_runs: int = 64
) -> MinimalContext | None:
    """Delete tokens of `text` while `feature` fires above `threshold`; None if it does not on the whole.

    Args:
        activations: runs texts.
        feature: its index.
        text: a text on which it should fire.
        threshold: the activation that must be exceeded.
        most_runs: texts that may be run, the whole one included; what is left then is not minimal.

    Raises:
        UnknownNameError: there is no such feature.
        ProbeError: an activation is infinite or not a number.
    """
    whole = activations.profiles(feature, [text])[0]
    if whole.peak is None or whole.activation <= threshold:
        return None
    search = _Deletion(activations, feature, threshold, most_runs - 1, whole)
    pieces, peak = _pieces(text, whole)
    shortest = search.shortest(search.ends(pieces, peak) or pieces)
    return MinimalContext(
        text=text,
        kept="".join(shortest),
        tokens=search.kept.tokens,
        activation=search.kept.activation,
        share=search.kept.activation / whole.activation,
        runs=most_runs - search.left,
    )


def _pieces(text: str, whole: TextProfile) -> tuple[list[str], int]:
    """What can be deleted, and the piece with the peak: tokens, or words where a token is half a letter."""
    peak = whole.peak or 0
    if text.startswith("".join(whole.tokens)):
        return list(whole.tokens), peak
    words = _WORDS.findall(text)
    return words, len(words) - 1


class _Deletion:
    """Candidates run in batches, within a bound."""

    def __init__(
        self, activations: ReadsTexts, feature: int, threshold: float, left: int, whole: TextProfile
    ) -> None:
        self._activations, self._feature, self._threshold = activations, feature, threshold
        self.left, self.kept = left, whole

    def ends(self, pieces: Sequence[str], peak: int) -> list[str] | None:
        """The shortest run of pieces that ends at the peak and fires; None if none does."""
        lengths = [n for n in _ENDS if n <= peak] + [peak + 1]
        return self._first([list(pieces[peak + 1 - n : peak + 1]) for n in lengths])

    def shortest(self, pieces: list[str]) -> list[str]:
        """Delete halves, quarters and so on, down to single pieces, until no single one can go."""
        parts = 2
        while len(pieces) > 1 and self.left > 0:
            bounds = [i * len(pieces) // parts for i in range(parts + 1)]
            fewer = self._first([pieces[:a] + pieces[b:] for a, b in itertools.pairwise(bounds)])
            if fewer is not None:
                pieces, parts = fewer, max(2, min(parts - 1, len(fewer)))
            elif parts < len(pieces):
                parts = min(2 * parts, len(pieces))
            else:
                break
        return pieces

    def _first(self, candidates: Sequence[list[str]]) -> list[str] | None:
        """The first of the candidates that fires; all that the bound allows are run as one batch."""
        chosen = [c for c in candidates if c][: max(0, self.left)]
        self.left -= len(chosen)
        profiles = self._activations.profiles(self._feature, ["".join(c) for c in chosen]) if chosen else []
        for candidate, profile in zip(chosen, profiles, strict=True):
            if profile.activation > self._threshold:
                self.kept = profile
                return candidate
        return None
