"""Texts with and without planted words, and a workbench over the planted index."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glossator.agents.tools.workbench import Workbench
from glossator.memory.ledger import Ledger
from glossator.probes.planted_truth import PlantedSubject
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.text_activations import TextActivations
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import FeatureNames
from tests.agents.planted_index import FILLER, WORDS, PlantedIndex

SEA, MONEY = 1, 2


def texts_of(words: tuple[str, ...], n: int, seed: int) -> tuple[str, ...]:
    """Texts of common words, with one of `words` in each, if there are any."""
    rng = np.random.default_rng(seed)
    out: list[str] = []
    for _ in range(n):
        chosen = rng.choice(FILLER.split(), int(rng.integers(14, 20))).tolist()
        if words:
            chosen[int(rng.integers(2, len(chosen)))] = str(rng.choice(words))
        out.append(" ".join(chosen))
    return tuple(out)


def sea_texts(n: int = 40) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts with words of the sea, and texts with words of money or none."""
    rest = texts_of((), n - n // 2, 2) + texts_of(WORDS["money"], n // 2, 3)
    return texts_of(WORDS["sea"], n, 1), rest


def planted_workbench(
    planted: PlantedIndex, folder: Path, subject: PlantedSubject, embedder: TextEmbedder | None
) -> Workbench:
    """A workbench whose subject cannot be steered and has no untrained twin."""
    return Workbench(
        names=FeatureNames("planted", "planted"),
        index=planted.activations,
        ledger=Ledger.open(folder / "ledger.sqlite"),
        embedder=embedder,
        dictionary=lambda: planted.dictionary,
        activations=lambda: TextActivations(subject, planted.dictionary, context=64),
        effects=lambda _: TokenEffects((), ()),
    )


HASHING = HashingEmbedder()
