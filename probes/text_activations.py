"""A feature's activation on texts that no index holds: written by a model, or by hand.

Encoded as an activation index encodes a row: the subject's row prefix, then the text's tokens; first
positions and special tokens do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from glossator.errors import ProbeError, UnknownNameError
from glossator.probes.activation_index.encoding import Batch, encode_batch
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject_protocol import ReadableSubject

BATCH_TOKENS = 2048


class TextProfile(NamedTuple):
    """One feature along one text."""

    tokens: tuple[str, ...]
    """Token texts as the subject read them, without its row prefix; cut at the context."""
    activations: Float[np.ndarray, " tokens"]
    """At each of them; 0 where it is silent or does not count. Float32."""

    @property
    def peak(self) -> int | None:
        """Where it fires most; None where it is silent."""
        best = int(np.argmax(self.activations)) if len(self.activations) else 0
        return best if len(self.activations) and self.activations[best] > 0 else None

    @property
    def activation(self) -> float:
        """The largest activation; 0 where it is silent."""
        return float(self.activations.max(initial=0.0))


class FeatureMaxima(NamedTuple):
    """The largest activation of every feature that fires on each of some texts, as coordinates."""

    text: Int[np.ndarray, " pairs"]
    """Number of the text; ascending."""
    feature: Int[np.ndarray, " pairs"]
    """Feature; ascending within a text, each once."""
    activation: Float[np.ndarray, " pairs"]
    """Above 0; float32."""


class TextActivations:
    """Runs texts through a subject and its dictionary."""

    def __init__(
        self,
        subject: ReadableSubject,
        dictionary: Dictionary,
        *,
        context: int = 256,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        """`context` is the index's: a text is read up to as many tokens, and cut there."""
        self._subject, self._dictionary, self._batch_tokens = subject, dictionary, batch_tokens
        self._context = min(context, subject.context_length - len(subject.row_prefix))

    @property
    def subject(self) -> ReadableSubject:
        """What reads the texts."""
        return self._subject

    @property
    def dictionary(self) -> Dictionary:
        """What makes features of them."""
        return self._dictionary

    @property
    def context(self) -> int:
        """Tokens of a text that are read, without the row prefix."""
        return self._context

    def __call__(self, feature: int, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """The largest activation of `feature` on each text; 0 where it is silent. Float32.

        Raises:
            UnknownNameError: there is no such feature.
            ProbeError: an activation is infinite or not a number.
        """
        self._check(feature)
        largest = np.zeros(len(texts), np.float32)
        for batch in self._batches(texts):
            pairs = encode_batch(self._subject, self._dictionary, batch, 0)
            own = pairs.feature == feature
            np.maximum.at(largest, pairs.position[own], pairs.activation[own])
        self._require_finite(largest)
        return largest

    def profiles(self, feature: int, texts: Sequence[str]) -> list[TextProfile]:
        """`feature` along each text, token by token.

        Raises:
            UnknownNameError: there is no such feature.
            ProbeError: an activation is infinite or not a number.
        """
        self._check(feature)
        rows, skip = self._rows(texts), len(self._subject.row_prefix)
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        dense = np.zeros(int(starts[-1]), np.float32)
        for batch in self._batches(texts):
            column = np.arange(batch.ids.shape[1])
            place = np.where(batch.real, starts[batch.position] + column, 0)
            pairs = encode_batch(self._subject, self._dictionary, replace(batch, position=place), 0)
            own = pairs.feature == feature
            dense[pairs.position[own]] = pairs.activation[own]
        self._require_finite(dense)
        vocabulary = self._subject.vocabulary.texts
        return [
            TextProfile(tuple(vocabulary[i] for i in row[skip:]), dense[start + skip : start + len(row)])
            for row, start in zip(rows, starts[:-1].tolist(), strict=True)
        ]

    def maxima(self, texts: Sequence[str]) -> FeatureMaxima:
        """The largest activation of every feature on each text.

        Raises:
            ProbeError: an activation is infinite or not a number.
        """
        n = self._dictionary.n_features
        keys, values = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for batch in self._batches(texts):
            pairs = encode_batch(self._subject, self._dictionary, batch, 0)
            key, place = np.unique(pairs.position.astype(np.int64) * n + pairs.feature, return_inverse=True)
            largest = np.zeros(len(key), np.float32)
            np.maximum.at(largest, place, pairs.activation)
            keys.append(key)
            values.append(largest)
        key, value = np.concatenate(keys), np.concatenate(values)
        self._require_finite(value)
        order = np.argsort(key, kind="stable")
        return FeatureMaxima(key[order] // n, key[order] % n, value[order])

    def _check(self, feature: int) -> None:
        if not 0 <= feature < self._dictionary.n_features:
            raise UnknownNameError(
                f"no feature {feature!r} in {self._dictionary.name!r}: "
                f"they are numbered 0 to {self._dictionary.n_features - 1}"
            )

    def _require_finite(self, activations: Float[np.ndarray, " n"]) -> None:
        if not np.isfinite(activations).all():
            raise ProbeError(
                f"the dictionary {self._dictionary.name!r} gave an activation that is infinite or not a "
                "number: check its weights, or read the subject in float32"
            )

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        prefix = self._subject.row_prefix
        return [[*prefix, *ids[: self._context]] for ids in self._subject.tokenize(texts)]

    def _batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Rows of like length together; a token's position is the number of its text."""
        rows = self._rows(texts)
        order = sorted((i for i, row in enumerate(rows) if row), key=lambda i: -len(rows[i]))
        while order:
            width = len(rows[order[0]])
            chosen, order = np.array(order[: (n := max(1, self._batch_tokens // width))]), order[n:]
            ids = np.zeros((len(chosen), width), np.int64)
            real = np.zeros_like(ids, dtype=bool)
            for slot, number in enumerate(chosen.tolist()):
                ids[slot, : len(rows[number])] = rows[number]
                real[slot, : len(rows[number])] = True
            yield Batch(ids, real, np.repeat(chosen[:, None], width, axis=1))
