"""Planted drinks: a feature of the meaning, one of the letters "cof", and siblings, on three splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.settings import ScoringSettings
from glossator.probes.planted_rules import PlantedRule, RegexRule, TokenSetRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ExploreView, SealedView, ValidateView
from glossator.probes.text_activations import TextActivations
from glossator.records import Explanation, FeatureRef, Predicate, TokenIn, WordIn

DRINKS = ("coffee", "tea", "espresso", "cocoa")
LOOKALIKES = ("coffin", "coffer", "coffins", "cofactor", "team", "teach", "cocoon")
METALS = ("iron", "copper", "zinc")
FILLERS = tuple(
    f"{a}{b}"
    for a in ("ba", "bi", "da", "fu", "ge", "lo", "mi", "nu", "pa", "ri")
    for b in ("rn", "st", "ld", "mp")
)
HONEST, LETTERS, METAL, DEAD, COMMA = range(5)
RULES: tuple[PlantedRule, ...] = (
    TokenSetRule(kind="token_set", name="honest", tokens=tuple(f" {w}" for w in DRINKS)),
    RegexRule(kind="regex", name="letters", pattern="^ cof"),
    TokenSetRule(kind="token_set", name="metal", tokens=tuple(f" {w}" for w in METALS)),
    RegexRule(kind="regex", name="dead", pattern="^ never$"),
    TokenSetRule(kind="token_set", name="comma", tokens=(",",)),
)


class Drinks(NamedTuple):
    """A subject, and a room over texts of three splits."""

    subject: PlantedSubject
    room: ScoringRoom

    @property
    def activate(self) -> TextActivations:
        """Runs texts through the subject."""
        return TextActivations(self.subject, PlantedDictionary(len(RULES)))


@cache
def drinks(seed: int = 0, lookalikes: tuple[str, ...] = LOOKALIKES, sealed_lookalikes: bool = True) -> Drinks:
    """Three splits of random words; with `sealed_lookalikes` False the last holds none of those."""
    kinds = ((24, True), (6, True), (24, sealed_lookalikes))
    texts = [
        _texts(n, 10 * seed + i, lookalikes if with_them else ()) for i, (n, with_them) in enumerate(kinds)
    ]
    subject = PlantedSubject.over([t for split in texts for t in split], RULES)
    explore, validate, sealed = (planted_firings(subject, planted_text(subject, t)) for t in texts)
    room = ScoringRoom(
        ExploreView(explore),
        ValidateView(validate),
        SealedView(sealed),
        index_identity="drinks",
        settings=ScoringSettings(draws=200),
    )
    return Drinks(subject, room)


def _texts(n: int, seed: int, lookalikes: Sequence[str]) -> list[str]:
    rng = np.random.default_rng(seed)
    words = [*FILLERS * 8, *DRINKS * 2, *METALS * 2, *lookalikes]
    return [
        "".join(f" {w}" + ("," if rng.random() < 0.03 else "") for w in rng.choice(words, 120))
        for _ in range(n)
    ]


def said(feature: int, text: str, predicate: Predicate | None = None) -> Explanation:
    """An explanation of one of the features."""
    return Explanation.of(FeatureRef(subject="p", dictionary="p", index=feature), "test", text, predicate)


def words_label(feature: int, *words: str) -> Explanation:
    """The label that names words, executable."""
    return said(feature, "words: " + ", ".join(words), WordIn(words=words))


def tokens_label(feature: int, *words: str) -> Explanation:
    """The label that names tokens, executable."""
    return said(feature, "tokens: " + ", ".join(words), TokenIn(tokens=tuple(f" {w}" for w in words)))


def meanings(*groups: Sequence[str]) -> Callable[[Sequence[str], Sequence[str]], np.ndarray]:
    """A similarity of 0.8 within a group of words, 1 of a word with itself, 0.1 otherwise."""

    def similarity(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        return np.array(
            [
                [1.0 if a == b else 0.8 if any(a in g and b in g for g in groups) else 0.1 for b in second]
                for a in first
            ],
            dtype=np.float32,
        ).reshape(len(first), len(second))

    return similarity
