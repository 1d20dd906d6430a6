"""A text as one vector: its site activations pooled over tokens, or its token counts. What probes are fit on.

First positions (attention sinks, unless the subject has a row prefix) and special tokens are left out, as in
an index. Nothing here knows of concepts or labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from glossator.errors import ProbeError
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.text_activations import BATCH_TOKENS, TextActivations
from glossator.probes.token_rows import row_batches
from glossator.records import SiteRef


class Reading(StrEnum):
    """How a text becomes a vector."""

    MEAN = "mean"
    """Mean site activation."""
    MAX = "max"
    """Largest site activation of each dimension."""
    UNTRAINED_MEAN = "untrained mean"
    """Mean site activation of an untrained subject."""
    UNTRAINED_MAX = "untrained max"
    """Largest site activation of an untrained subject."""
    TOKENS = "token counts"
    """log(1 + count) of some tokens."""
    LENGTH = "length"
    """Number of tokens: what a careless choice of texts gives away."""


class SiteMeans(NamedTuple):
    """Pooled site activations of texts; zeros where a text has no token that counts."""

    mean: Float[np.ndarray, "texts d"]
    largest: Float[np.ndarray, "texts d"]


class Direction(NamedTuple):
    """A linear score of texts: the dot product of one reading with weights."""

    reading: Reading
    weights: Float[np.ndarray, " d"]
    tokens: Int[np.ndarray, " d"] | None = None
    """Which tokens are counted, ascending; None for other readings."""


class TextReader:
    """Turns texts into vectors; keeps none of them."""

    def __init__(
        self, activations: TextActivations, untrained: Callable[[], ReadableSubject] | None = None
    ) -> None:
        """`untrained` makes the untrained subject; None where there is none."""
        self.activations, self._make_untrained = activations, untrained
        self._untrained: ReadableSubject | None = None

    @property
    def has_untrained(self) -> bool:
        """Whether an untrained subject can be read."""
        return self._make_untrained is not None

    def site(self, texts: Sequence[str], *, untrained: bool = False) -> SiteMeans:
        """Both poolings of the site's activations.

        Raises:
            ProbeError: an activation is infinite or not a number, or there is no untrained subject.
        """
        own = self.activations
        subject = own.subject if not untrained else self._untrained_subject()
        return site_means(subject, own.dictionary.site, texts, own.context)

    def token_counts(
        self, texts: Sequence[str], tokens: Int[np.ndarray, " d"]
    ) -> Float[np.ndarray, "texts d"]:
        """log(1 + count) of each of `tokens` (ascending) in each text."""
        out = np.zeros((len(texts), len(tokens)), np.float32)
        for row, ids in zip(out, self.token_ids(texts), strict=True):
            at = np.minimum(np.searchsorted(tokens, ids), max(0, len(tokens) - 1))
            known = tokens[at] == ids if len(tokens) else np.zeros(len(ids), bool)
            np.add.at(row, at[known], 1)
        return np.log1p(out)

    def token_ids(self, texts: Sequence[str]) -> list[Int[np.ndarray, " tokens"]]:
        """Each text's tokens, cut at the context."""
        rows = self.activations.subject.tokenize(texts)
        return [np.asarray(ids[: self.activations.context], dtype=np.int64) for ids in rows]

    def project(self, direction: Direction, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """The score of each text."""
        return self.vectors(direction.reading, texts, direction.tokens) @ direction.weights

    def vectors(
        self, reading: Reading, texts: Sequence[str], tokens: Int[np.ndarray, " d"] | None = None
    ) -> Float[np.ndarray, "texts d"]:
        """One reading of texts; `tokens` for token counts alone."""
        if reading is Reading.TOKENS:
            return self.token_counts(texts, np.zeros(0, np.int64) if tokens is None else tokens)
        if reading is Reading.LENGTH:
            return np.array([[len(ids)] for ids in self.token_ids(texts)], np.float32).reshape(-1, 1)
        untrained = reading in (Reading.UNTRAINED_MEAN, Reading.UNTRAINED_MAX)
        pooled = self.site(texts, untrained=untrained)
        return pooled.mean if reading in (Reading.MEAN, Reading.UNTRAINED_MEAN) else pooled.largest

    def _untrained_subject(self) -> ReadableSubject:
        if self._make_untrained is None:
            raise ProbeError("this subject has no untrained twin: only transformers models have one")
        if self._untrained is None:
            self._untrained = self._make_untrained()
        return self._untrained


def site_means(subject: ReadableSubject, site: SiteRef, texts: Sequence[str], context: int) -> SiteMeans:
    """Mean and largest activation at `site` over the tokens of each text that count; float32.

    Raises:
        ProbeError: an activation is infinite or not a number.
    """
    prefix = subject.row_prefix
    rows = [np.array([*prefix, *ids[:context]], np.int64) for ids in subject.tokenize(texts)]
    order = sorted((i for i, row in enumerate(rows) if len(row)), key=lambda i: -len(rows[i]))
    means: list[torch.Tensor] = []
    tops: list[torch.Tensor] = []
    for batch in row_batches(subject, [rows[i] for i in order], BATCH_TOKENS):
        with torch.inference_mode():
            found = subject.activations(site, batch.ids, batch.mask).float().cpu()
        counted = batch.eligible[:, :, None]
        n = counted.sum(dim=1)
        means.append(torch.where(counted, found, 0.0).sum(dim=1) / n.clamp_min(1))
        tops.append(torch.where(n > 0, torch.where(counted, found, -torch.inf).amax(dim=1), 0.0))
    return SiteMeans(_in_order(means, order, len(texts)), _in_order(tops, order, len(texts)))


def _in_order(parts: list[torch.Tensor], order: list[int], n_texts: int) -> Float[np.ndarray, "texts d"]:
    if not parts:
        return np.zeros((n_texts, 0), np.float32)
    pooled = torch.cat(parts).numpy()
    if not np.isfinite(pooled).all():
        raise ProbeError("a site activation is infinite or not a number: read the subject in float32")
    out = np.zeros((n_texts, pooled.shape[1]), np.float32)
    out[order] = pooled
    return out
