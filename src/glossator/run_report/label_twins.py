"""Features that say the same: nearly one direction, or nearly one label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.agents.memory_use.same_text import plain_words
from glossator.probes.near_directions import near_rows
from glossator.records import DirectionPair, NearDirections, SharedLabel

Directions = Callable[[Sequence[int]], Float[np.ndarray, "n d"]]
"""What the given features write, a row each."""
Embed = Callable[[Sequence[str]], Float[np.ndarray, "n d"]]
"""One vector for the meaning of each text."""

NEAR = 0.9
"""Cosine from which two directions are nearly one."""
SAME_MEANING = 0.9
"""Cosine of sentence embeddings from which two labels say the same."""
MOST = 65_536
"""Features that are compared each with each; beyond, only so many."""
SHOWN = 20
_EXAMPLES = 8
_NEAR_TEXTS = 2_000
"""Near pairs of label texts that are joined into groups."""


class SharedLabels(NamedTuple):
    """Labels that several features have."""

    shown: tuple[SharedLabel, ...]
    n: int
    note: str = ""
    """Why not all labels of one meaning were put together; empty where they were."""


def near_directions(
    features: Sequence[int], labels: Mapping[int, str], directions: Directions | None
) -> NearDirections:
    """Pairs of `features` whose directions are nearly one.

    Args:
        features: Those that fire; of more than `MOST` the first.
        labels: What is claimed of them; where nothing is, an empty text or none.
        directions: Called once; None where they are not at hand.

    """
    if directions is None:
        return NearDirections(threshold=NEAR, note="the dictionary's directions were not at hand")
    compared = list(features[:MOST])
    if len(compared) < 2:
        return NearDirections(threshold=NEAR, compared=len(compared))
    found = near_rows(np.asarray(directions(compared), dtype=np.float32), NEAR, SHOWN)
    rows = [(compared[p.first], compared[p.second], p.cosine) for p in found.nearest]
    left_out = len(features) - len(compared)
    return NearDirections(
        compared=len(compared),
        threshold=NEAR,
        pairs=found.pairs,
        features=found.rows,
        shown=tuple(_pair(a, b, cosine, labels) for a, b, cosine in rows),
        note=f"{left_out} further features were not compared" if left_out else "",
    )


def _pair(first: int, second: int, cosine: float, labels: Mapping[int, str]) -> DirectionPair:
    texts = labels.get(first, ""), labels.get(second, "")
    return DirectionPair(
        first=first,
        second=second,
        cosine=min(cosine, 1.0),
        first_label=texts[0],
        second_label=texts[1],
        same_words=bool(texts[0]) and plain_words(texts[0]) == plain_words(texts[1]),
    )


def shared_labels(labels: Mapping[int, str], embed: Embed | None) -> SharedLabels:
    """Labels that several features have, up to case, quotes and punctuation; with an embedder also those
    that are worded differently and mean nearly the same."""
    by_words: dict[str, list[int]] = defaultdict(list)
    for feature, text in labels.items():
        if text:
            by_words[plain_words(text)].append(feature)
    groups, note = ([[w] for w in by_words], "") if embed is None else _joined(list(by_words), embed)
    several = [g for g in groups if sum(len(by_words[w]) for w in g) > 1]
    several.sort(key=lambda g: -sum(len(by_words[w]) for w in g))
    return SharedLabels(tuple(_shared(g, by_words, labels) for g in several[:SHOWN]), len(several), note)


def _joined(words: list[str], embed: Embed) -> tuple[list[list[str]], str]:
    """Texts that mean nearly the same in one group: each joins the first that it is near to. With it, what
    was left out, in words."""
    if len(words) < 2:
        return [[w] for w in words], ""
    compared = words[:MOST]
    near = near_rows(np.asarray(embed(compared), dtype=np.float32), SAME_MEANING, _NEAR_TEXTS)
    leader = list(range(len(words)))
    for pair in sorted(near.nearest, key=lambda p: (p.first, p.second)):
        if leader[pair.first] == pair.first and leader[pair.second] == pair.second:
            leader[pair.second] = pair.first
    groups: dict[int, list[str]] = defaultdict(list)
    for i, word in enumerate(words):
        groups[leader[i]].append(word)
    notes: list[str] = []
    if near.pairs > len(near.nearest):
        notes.append(
            f"of {near.pairs} pairs of near wordings only the nearest {len(near.nearest)} were joined"
        )
    if len(words) > len(compared):
        notes.append(f"{len(words) - len(compared)} wordings were not compared")
    return list(groups.values()), "; ".join(notes)


def _shared(group: list[str], by_words: Mapping[str, list[int]], labels: Mapping[int, str]) -> SharedLabel:
    features = [f for w in group for f in by_words[w]]
    texts = [labels[by_words[w][0]] for w in group]
    return SharedLabel(
        label=texts[0],
        features=tuple(features[:_EXAMPLES]),
        n=len(features),
        others=tuple(texts[1:_EXAMPLES]),
    )
