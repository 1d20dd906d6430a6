"""A language model's loss on texts that follow a prefix: how well the prefix announces them.

The prefix runs through the model once; its keys and values are handed to every batch of texts.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes.subject import Subject

KEPT = 64
"""Answers that are kept: the explanations of one feature are compared with the same few others."""
LOGITS = 1 << 25
"""Logits held at once: 128 MiB in float32."""


class _Prefix(NamedTuple):
    """What a prefix leaves behind."""

    cache: Any
    """Keys and values of its tokens; None if it has none."""
    following: torch.Tensor | None
    """Log-probabilities of what comes next, float32 [vocabulary]; None if it has no tokens."""


class PrefixLosses:
    """Losses under one local model. Holds the subject's lock while the model runs."""

    def __init__(self, subject: Subject, *, most_logits: int = LOGITS) -> None:
        self._subject, self._most_logits = subject, most_logits
        self._kept: OrderedDict[tuple[str, tuple[str, ...]], np.ndarray] = OrderedDict()

    @property
    def name(self) -> str:
        """The model's short name."""
        return self._subject.name

    def __call__(self, prefix: str, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """Mean loss of each text's tokens after `prefix`, in nats per token; float32, NaN for no tokens.

        Prefix and text are tokenised apart, so that a text has the same tokens after every prefix.
        What looks like a special token is plain text. Without any prefix token the first token of a
        text has nothing to be predicted from and is left out.

        Raises:
            ShapeMismatchError: prefix and text are together longer than the model's context.
            ProbeError: a loss is infinite or not a number.
        """
        key = (prefix, tuple(texts))
        with self._subject.lock:
            if key not in self._kept:
                self._kept[key] = self._measured(prefix, texts)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[key].copy()

    def _measured(self, prefix: str, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        before = [*self._subject.row_prefix, *self._subject.tokenize([prefix])[0]]
        rows = self._subject.tokenize(texts)
        longest = len(before) + max(map(len, rows), default=0)
        if longest > self._subject.context_length:
            raise ShapeMismatchError(
                f"prefix and text of {longest} tokens do not fit {self.name}, which takes "
                f"{self._subject.context_length}: use a shorter prefix, shorter texts or another model"
            )
        losses = np.full(len(rows), np.nan, np.float32)
        with torch.no_grad():
            known = self._prefix(before)
            for chosen in self._batches(rows):
                losses[chosen] = self._losses(known, [rows[i] for i in chosen])
        countable = np.array([len(row) > (0 if before else 1) for row in rows], dtype=bool)
        if not np.isfinite(losses[countable]).all():
            raise ProbeError(f"{self.name} gave a loss that is infinite or not a number: load it in float32")
        return losses

    def _prefix(self, ids: list[int]) -> _Prefix:
        if not ids:
            return _Prefix(None, None)
        out = self._subject.model(input_ids=self._tensor([ids]), use_cache=True)
        return _Prefix(out.past_key_values, out.logits[0, -1].float().log_softmax(-1))

    def _batches(self, rows: list[list[int]]) -> Iterator[list[int]]:
        """Numbers of texts that go together: of like length, within the bound of logits."""
        size = int(self._subject.model.config.get_text_config().vocab_size)
        order = sorted((i for i, row in enumerate(rows) if row), key=lambda i: -len(rows[i]))
        while order:
            n = max(1, self._most_logits // (size * len(rows[order[0]])))
            yield order[:n]
            order = order[n:]

    def _losses(self, known: _Prefix, rows: list[list[int]]) -> Float[np.ndarray, " rows"]:
        # Right padding without a mask: in a causal model it cannot reach a real token.
        width = max(map(len, rows))
        ids = self._tensor([row + [0] * (width - len(row)) for row in rows])
        total = torch.zeros(len(rows), dtype=torch.float32, device=ids.device)
        counted = torch.tensor([len(row) for row in rows], device=ids.device)
        if known.following is not None:
            total -= known.following[ids[:, 0]]
        if width > 1:
            out = self._subject.model(input_ids=ids[:, :-1], **_cache_for(known, len(rows)))
            logits = out.logits.float().flatten(0, 1)
            each = torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
            real = torch.arange(1, width, device=ids.device) < counted[:, None]
            total += torch.where(real, each.view(len(rows), -1), 0.0).sum(1)
        if known.following is None:
            counted = counted - 1
        return (total / counted).cpu().numpy()

    def _tensor(self, rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor(rows, dtype=torch.int64, device=self._subject.device)


def _cache_for(known: _Prefix, rows: int) -> dict[str, Any]:
    """The prefix's keys and values for a batch; a copy, as the model appends to what it is given."""
    if known.cache is None:
        return {"use_cache": False}
    cache = copy.deepcopy(known.cache)
    cache.batch_repeat_interleave(rows)
    return {"past_key_values": cache, "use_cache": True}
