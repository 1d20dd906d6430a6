"""How often a feature fires on chosen words: where they stand in `sealed`, else in short sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.scorers.interventions.word_occurrences import Occurrences
from glossator.agents.scorers.llm_bench import Activate
from glossator.probes.intervals import Ends, wilson_ends

PER_WORD = 10
"""Most occurrences of one word, so that a frequent one does not stand for all."""
CARRIERS = (
    "Nobody had expected {word} in that place.",
    "Her answer was {word}, which surprised them.",
    "The last line reads {word} once more.",
    "Some people think of {word} when they hear this.",
)
"""Sentences that hold a word which the text has too seldom. Those in which the feature fires whatever the
word is are left out."""
_SILENT_SHARE = 0.25


@dataclass(frozen=True)
class WordTrials:
    """One entry per place where a word was looked at."""

    words: tuple[str, ...]
    fires: Bool[np.ndarray, " trials"]
    unit: Int[np.ndarray, " trials"]
    """Its word and document; below 0 for sentences, all of one word alike. What a feature does on a word it
    mostly does again, so places of one unit are not independent."""

    @property
    def n_units(self) -> int:
        """Words in documents, and words in sentences."""
        return len(np.unique(self.unit))

    @property
    def rate(self) -> float:
        """Share that fires; 0 of none."""
        return float(self.fires.mean()) if len(self.fires) else 0.0

    @property
    def ends(self) -> Ends:
        """Wilson's interval of the rate with units as n."""
        return wilson_ends(self.rate, self.n_units)

    def by_word(self) -> dict[str, tuple[int, int]]:
        """For each word: how often it fires, of how many."""
        out: dict[str, tuple[int, int]] = {}
        for word, fires in zip(self.words, self.fires.tolist(), strict=True):
            fired, n = out.get(word, (0, 0))
            out[word] = (fired + int(fires), n + 1)
        return out

    def __add__(self, other: WordTrials) -> WordTrials:
        return WordTrials(
            self.words + other.words,
            np.concatenate([self.fires, other.fires]),
            np.concatenate([self.unit, other.unit]),
        )


def corpus_trials(
    seen: Occurrences,
    words: Sequence[str],
    allowed: Bool[np.ndarray, " occurrences"] | None,
    most: int,
    seed: int,
) -> WordTrials:
    """Up to `most` of the allowed occurrences of `words`, at most `PER_WORD` of each, drawn at random."""
    chosen = seen.of(set(words)) if allowed is None else seen.of(set(words)) & allowed
    at = np.random.default_rng(seed).permutation(np.flatnonzero(chosen))
    # The first few of each word in random order: a stable sort by word, then places within it.
    order = at[np.argsort(seen.word[at], kind="stable")]
    word = seen.word[order]
    first = np.flatnonzero(np.append(True, word[1:] != word[:-1])[: len(word)])
    place = np.arange(len(word)) - np.repeat(first, np.diff(np.append(first, len(word))))
    kept = order[np.argsort(place, kind="stable")][: int((place < PER_WORD).sum())][:most]
    names = tuple(seen.words[int(i)] for i in seen.word[kept])
    unit = seen.spans.document[kept] * len(seen.words) + seen.word[kept]
    return WordTrials(names, seen.fires[kept], unit.astype(np.int64))


class Carrier:
    """Puts words into sentences, and says whether the feature fires in them."""

    def __init__(self, activate: Activate, feature: int, threshold: float, fillers: Sequence[str]) -> None:
        """`fillers` are words that have nothing to do with the feature: they find usable sentences."""
        self._activate, self._feature, self._threshold = activate, feature, threshold
        usual = {c: self._read([c], fillers, fillers).rate for c in CARRIERS} if fillers else {}
        self.sentences = tuple(c for c, rate in usual.items() if rate <= _SILENT_SHARE)

    def trials(self, forms: Mapping[str, str]) -> WordTrials:
        """Every word in every usable sentence, written as `forms` says."""
        return self._read(self.sentences, tuple(forms), tuple(forms.values()))

    def _read(self, sentences: Sequence[str], words: Sequence[str], written: Sequence[str]) -> WordTrials:
        texts = [c.format(word=word) for word in written for c in sentences]
        active = self._activate(self._feature, texts) if texts else np.zeros(0, np.float32)
        unit = -1 - np.repeat(np.arange(len(words)), len(sentences))
        names = tuple(word for word in words for _ in sentences)
        return WordTrials(names, active > self._threshold, unit.astype(np.int64))
