"""Features that fire on one word each of real text, and a scripted reader who knows the rule.

The windows are cut from the starter corpus by the product's own samplers. The reader tells from the
claim which word is meant, looks for it (inside `<<…>>` where tokens are marked), and is wrong on a
fixed share of questions; it answers every side of a comparison alike.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from benchmarks.planted_truth import starter_texts
from glossator.agents.scorers import FeatureNeighbours, ScoringRoom, ScoringSettings
from glossator.agents.scorers.examples import seed_of
from glossator.probes.planted_rules import TokenSetRule
from glossator.probes.planted_truth import PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ExploreView, SealedView, ValidateView
from glossator.probes.windows import firing_windows, silent_windows, to_windows
from glossator.records import FeatureRef, Window

SEED = 0
LEAST = 4
"""Letters of a planted word at least."""
_LETTERS = re.compile(r"[a-z]+")
_QUOTED = re.compile(r"[\"“'‘]([A-Za-z]+)[\"”'’]")
_MARKED = re.compile(r"(?:<<|‹‹)(.*?)(?:>>|››)", re.DOTALL)


class PlantedWords(NamedTuple):
    """Features over real text, each of one word."""

    room: ScoringRoom
    features: tuple[FeatureRef, ...]
    words: tuple[str, ...]


class FeatureWindows(NamedTuple):
    """The windows of one feature that both sides are given."""

    feature: FeatureRef
    train: tuple[Window, ...]
    """Firing windows of `explore`, for explainers."""
    firing: tuple[Window, ...]
    """Firing windows of `sealed`."""
    silent: tuple[Window, ...]
    """Random silent windows of `sealed`."""


class Reader:
    """Right about every window but a fixed share, which depends on nothing but the question.

    Args:
        words: the planted words; a claim means the first of them that it quotes.
        noise: share of questions that are answered wrongly.
    """

    def __init__(self, words: Sequence[str], noise: float) -> None:
        self._words, self._noise = frozenset(words), noise

    def fires(self, claim: str, text: str) -> bool:
        """Whether the text (marked or not) fits the claim, in this reader's opinion."""
        word = next((w for w in _QUOTED.findall(claim) if w in self._words), None)
        marked = _MARKED.findall(text)
        found = word is not None and any(_pattern(word).search(part) for part in marked or [text])
        question = re.sub(r"\W+", " ", f"{claim} {text}")
        return found ^ (zlib.crc32(question.encode()) / 2**32 < self._noise)

    def label(self, prompt: str) -> str:
        """The planted word that is marked most often in a prompt, as a claim."""
        counts = Counter(w for part in _MARKED.findall(prompt) for w in _LETTERS.findall(part))
        known = [(n, w) for w, n in counts.items() if w in self._words]
        return f'the word "{max(known)[1]}"' if known else "nothing in particular"


@cache
def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^| ){word}(?![A-Za-z])")


def plant_words(n: int, characters: int, settings: ScoringSettings, least: int) -> PlantedWords:
    """`n` features over so many characters: 3/10 of the texts to explore, 2/10 to validate, the rest sealed.

    Args:
        n: features.
        characters: of the starter corpus.
        settings: sizes of the example sets.
        least: occurrences that a word must have in the sealed part.

    Raises:
        ValueError: the text has fewer such words.
    """
    texts = starter_texts(characters)
    first, second = int(0.3 * len(texts)), int(0.5 * len(texts))
    words = _words(texts[second:], n, least)
    rules = tuple(TokenSetRule(kind="token_set", name=w, tokens=(f" {w}",)) for w in words)
    subject = PlantedSubject.over(texts, rules)
    explore, validate, sealed = (
        planted_firings(subject, planted_text(subject, part))
        for part in (texts[:first], texts[first:second], texts[second:])
    )
    room = ScoringRoom(
        ExploreView(explore), ValidateView(validate), SealedView(sealed),
        index_identity=f"planted words {n} {characters}", settings=settings,
    )  # fmt: skip
    refs = tuple(FeatureRef(subject="planted", dictionary="words", index=i) for i in range(n))
    return PlantedWords(room, refs, words)


def _words(texts: Sequence[str], n: int, least: int) -> tuple[str, ...]:
    counts = Counter(w for text in texts for w in re.findall(r"(?<= )[a-z]+(?![A-Za-z])", text))
    common = sorted(w for w, c in counts.items() if least <= c <= 20 * least and len(w) >= LEAST)
    if len(common) < n:
        raise ValueError(f"{n!r} words wanted, {len(common)} occur {least} times: take more characters")
    return tuple(str(w) for w in np.random.default_rng(SEED).permutation(common)[:n])


def windows_of(planted: PlantedWords, feature: FeatureRef, n_train: int, n_test: int) -> FeatureWindows:
    """`n_train` firing windows of explore, `n_test` firing and as many silent ones of sealed."""
    room, index = planted.room, feature.index
    examples = room.examples(feature, FeatureNeighbours())
    batch = examples.windows
    explored = firing_windows(
        room.explore,
        index,
        threshold=room.strong_threshold(feature),
        n=n_train,
        seed=seed_of(feature, "train"),
    )
    firing = batch.take(np.flatnonzero(examples.firing)[:n_test])
    silent = silent_windows(room.sealed, index, n_test, seed_of(feature, "silent"))
    return FeatureWindows(
        feature,
        to_windows(room.explore, index, explored),
        to_windows(room.sealed, index, firing),
        to_windows(room.sealed, index, silent),
    )
