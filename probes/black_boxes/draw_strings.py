"""String operations drawn at random, without compositions that come to less, and texts to try them on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from glossator.probes.black_boxes.string_form import OPS, OpName, StringForm

SINGLES: tuple[OpName, ...] = tuple(name for name in OPS if name != "identity")
"""Operations that do something."""
_WORD_LIST = (
    "river Stone banana eleven Hello garden ABBA sea Engine little Open copper umbrella Oslo green three cat "
    "Winter needle apple fox Paper island queen tree Mississippi letter East azure kind level Orange seven"
)
_WORDS = tuple(_WORD_LIST.split())
_SAMPLE = (
    "Hello World", "banana", "The green tree", "x", "Engine 42", "see the sea", "ABBA", "queue letters",
    "azure Orange idea", "Mississippi", "level", "Oslo in winter",
)  # fmt: skip
"""On which compositions are compared with what is simpler."""
_LEAST_DISTINCT = 5


def draw_texts(rng: np.random.Generator, n: int) -> list[str]:
    """`n` distinct texts of one to four words."""
    texts: dict[str, None] = {}
    while len(texts) < n:
        words = rng.choice(_WORDS, int(rng.integers(1, 5)))
        text = " ".join(str(w) for w in words)
        texts[f"{text} {int(rng.integers(100))}" if rng.random() < 0.1 else text] = None
    return list(texts)


def draw_ops(rng: np.random.Generator, *, composed: bool) -> tuple[OpName, ...]:
    """One operation, or two that do more together than either."""
    if not composed:
        return (SINGLES[int(rng.integers(len(SINGLES)))],)
    while True:
        first, second = rng.integers(len(SINGLES), size=2)
        inner, outer = SINGLES[int(first)], SINGLES[int(second)]
        if not comes_to_less((inner, outer)):
            return inner, outer


@lru_cache(maxsize=4096)
def comes_to_less(ops: tuple[OpName, OpName]) -> bool:
    """Whether one operation does the same, or most of the text is lost."""
    outputs = results(StringForm(ops=ops), _SAMPLE)
    if len(set(outputs)) < _LEAST_DISTINCT:
        return True
    return any(outputs == single for single in _single_results())


@lru_cache(maxsize=1)
def _single_results() -> tuple[tuple[str, ...], ...]:
    return tuple(results(StringForm(ops=(name,)), _SAMPLE) for name in OPS)


def results(form: StringForm, texts: Sequence[str]) -> tuple[str, ...]:
    """The form's outputs."""
    return tuple(form.run(t) for t in texts)
