"""A feature's activation on texts that no index holds: written by a model, or by hand.

Encoded as an activation index encodes a row: the subject's row prefix, then the text's tokens; first
positions and special tokens do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from glossator.errors import ProbeError, UnknownNameError
from glossator.probes.activation_index.encoding import Batch, encode_batch
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject_protocol import ReadableSubject

BATCH_TOKENS = 2048


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

    def __call__(self, feature: int, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """The largest activation of `feature` on each text; 0 where it is silent. Float32.

        Raises:
            UnknownNameError: there is no such feature.
            ProbeError: an activation is infinite or not a number.
        """
        if not 0 <= feature < self._dictionary.n_features:
            raise UnknownNameError(
                f"no feature {feature!r} in {self._dictionary.name!r}: "
                f"they are numbered 0 to {self._dictionary.n_features - 1}"
            )
        largest = np.zeros(len(texts), np.float32)
        for batch in self._batches(texts):
            pairs = encode_batch(self._subject, self._dictionary, batch, 0)
            own = pairs.feature == feature
            np.maximum.at(largest, pairs.position[own], pairs.activation[own])
        if not np.isfinite(largest).all():
            raise ProbeError(
                f"feature {feature} of {self._dictionary.name!r} has an activation that is infinite or "
                "not a number: check its weights, or read the subject in float32"
            )
        return largest

    def _batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Rows of like length together; a token's position is the number of its text."""
        prefix = self._subject.row_prefix
        rows = [[*prefix, *ids[: self._context]] for ids in self._subject.tokenize(texts)]
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
