"""Which features a command is asked for: `0-99,812`, or a number of live ones drawn at random."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from glossator.errors import UnknownNameError

_FORM = "write indices and ranges such as 0-99,812"


def parse_features(text: str, n_features: int) -> list[int]:
    """Indices named by `text`, ascending and without repeats.

    Raises:
        UnknownNameError: `text` is no such list, a range runs backwards, or an index is too large.

    """
    chosen: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]+)\s*(?:-\s*([0-9]+)\s*)?", part)
        if match is None:
            raise UnknownNameError(f"cannot read the feature {part.strip()!r} in {text!r}: {_FORM}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UnknownNameError(f"the range {part.strip()!r} runs backwards: did you mean {last}-{first}?")
        if last >= n_features:
            raise UnknownNameError(
                f"there is no feature {last}: the dictionary has {n_features}, numbered 0-{n_features - 1}"
            )
        chosen.update(range(first, last + 1))
    return sorted(chosen)


def draw_features(live: Int[np.ndarray, " live"], count: int, seed: int) -> list[int]:
    """`count` of the features in `live`, drawn at random, ascending; all of them if there are fewer.

    Raises:
        UnknownNameError: No feature is live.

    """
    if len(live) == 0:
        raise UnknownNameError("no feature fires anywhere in the corpus: index more tokens or another corpus")
    drawn = np.random.default_rng(seed).choice(live, size=min(count, len(live)), replace=False)
    return sorted(int(i) for i in drawn)


def ranges_text(indices: Sequence[int], limit: int = 12) -> str:
    """Indices as `0-3, 7`, cut after `limit` ranges with a count."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:limit]]
    left = sum(b - a + 1 for a, b in runs[limit:])
    return ", ".join(shown) + (f" and {left} more" if left else "")
