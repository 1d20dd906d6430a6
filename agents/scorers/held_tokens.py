"""Where predicates hold in a split, evaluated once per predicate and kept within a bound of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from glossator.probes.split_view import AnyView, Firings
from glossator.probes.token_text import TokenText
from glossator.probes.windows import WindowBatch
from glossator.records import Predicate, predicate_json

Evaluate = Callable[[Predicate, TokenText], np.ndarray]
_KEPT_BYTES = 256 << 20


class HeldTokens:
    """The eligible tokens on which one predicate holds, as running counts."""

    def __init__(self, held: Bool[np.ndarray, " tokens"], text: TokenText) -> None:
        eligible = held & text.eligible
        self._running = np.zeros(len(text) + 1, np.int32)
        np.cumsum(eligible, out=self._running[1:])
        self._text = text

    @property
    def nbytes(self) -> int:
        """Memory that this takes, in bytes."""
        return self._running.nbytes

    def at(self, firings: Firings) -> Bool[np.ndarray, " firings"]:
        """At which firings it holds."""
        return self._running[firings.position + 1] > self._running[firings.position]

    def anywhere_in(self, windows: WindowBatch) -> Bool[np.ndarray, " windows"]:
        """In which windows it holds at any eligible token."""
        return self._running[windows.stop] > self._running[windows.start]

    @cached_property
    def by_document(self) -> Int[np.ndarray, " documents"]:
        """On how many tokens it holds, per document."""
        per_row = np.diff(self._running[self._text.row_start])
        counts = np.bincount(self._text.row_document, per_row, minlength=len(self._text.documents))
        return counts.astype(np.int64)


class HeldTokensCache:
    """`HeldTokens` by predicate, the least recently used dropped first."""

    def __init__(self, view: AnyView, evaluate: Evaluate) -> None:
        self._view, self._evaluate = view, evaluate
        self._kept: OrderedDict[str, HeldTokens] = OrderedDict()
        self._bytes = 0

    def of(self, predicate: Predicate) -> HeldTokens:
        """Where `predicate` holds; raises `UserError` if it cannot be evaluated."""
        key = predicate_json(predicate)
        if key not in self._kept:
            self._kept[key] = HeldTokens(self._evaluate(predicate, self._view.text), self._view.text)
            self._bytes += self._kept[key].nbytes
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and self._bytes > _KEPT_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return self._kept[key]
