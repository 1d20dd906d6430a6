"""From rows of tokens to the pairs of one shard: forward passes to the site, then the dictionary.

Rows of like length share a batch, so little of it is padding; padding, first positions and special
tokens are left out before the dictionary sees them. Subjects are causal, so padding on the right
cannot reach a real token: no mask is passed, which would take attention off its fast path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes.activation_index.shard import Pairs, ShardPlace
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_store import SplitTokens

PLAN_TOKENS = 64
"""Tokens of the pass that tells how dense a dictionary is."""
SHARD_PAIRS = 2**22
"""Pairs that a shard should not exceed."""
MOST_BLOCKS = 16
SHARDS_PER_SPLIT = 64
"""Shards of a large corpus, about, as long as they stay below `MOST_BLOCKS`."""


@dataclass(frozen=True)
class Batch:
    """Rows for one forward pass, padded on the right."""

    ids: Int[np.ndarray, "rows width"]
    """Token ids; 0 at padding."""
    real: Bool[np.ndarray, "rows width"]
    """False at padding."""
    position: Int[np.ndarray, "rows width"]
    """Positions in the split's stream; arbitrary at padding."""


def batches(tokens: SplitTokens, first_row: int, rows: int, batch_tokens: int) -> Iterator[Batch]:
    """Batches of at most `batch_tokens` cells (but at least a row), longest rows first."""
    starts = tokens.row_start[first_row : first_row + rows]
    lengths = np.diff(tokens.row_start[first_row : first_row + rows + 1])
    order = np.argsort(-lengths, kind="stable")
    at = 0
    while at < rows:
        width = int(lengths[order[at]])
        chosen = order[at : at + max(1, batch_tokens // width)]
        column = np.arange(width)
        real = column < lengths[chosen, None]
        position = np.where(real, starts[chosen, None] + column, 0)
        ids = np.where(real, tokens.ids[position], 0).astype(np.int64)
        yield Batch(ids, real, position)
        at += len(chosen)


def encode_batch(subject: ReadableSubject, dictionary: Dictionary, batch: Batch, start: int) -> Pairs:
    """The pairs of `batch`, positions counted from `start`."""
    eligible = batch.real & ~subject.vocabulary.special[batch.ids]
    eligible[:, 0] = False
    index = np.flatnonzero(eligible)
    with torch.inference_mode():
        activations = subject.activations(dictionary.site, torch.from_numpy(batch.ids))
        flat = activations.reshape(-1, activations.shape[-1])
        chosen = flat if len(index) == flat.shape[0] else flat[torch.from_numpy(index).to(flat.device)]
        pairs = dictionary.encode_fast(chosen)
        token, feature, value = (
            pairs.token.cpu().numpy(),
            pairs.feature.cpu().numpy(),
            pairs.value.cpu().numpy(),
        )
    position = (batch.position.reshape(-1)[index] - start).astype(np.int32)
    return Pairs(feature.astype(np.int32), position[token], value.astype(np.float32, copy=False))


def encode_shard(
    subject: ReadableSubject,
    dictionary: Dictionary,
    tokens: SplitTokens,
    place: ShardPlace,
    batch_tokens: int,
    report: Callable[[int], None],
) -> Pairs:
    """The pairs of a whole shard; `report` is told each batch's tokens.

    Raises:
        ProbeError: an activation is infinite or not a number.
    """
    parts: list[Pairs] = []
    for batch in batches(tokens, place.first_row, place.rows, batch_tokens):
        parts.append(encode_batch(subject, dictionary, batch, place.start))
        report(int(batch.real.sum()))
    feature, position, activation = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if not np.isfinite(activation.max(initial=0.0)):
        raise ProbeError(
            f"the dictionary {dictionary.name!r} gave an activation that is infinite or not a number on rows "
            f"{place.first_row} to {place.first_row + place.rows} of {place.split}; check its weights, or "
            "read the subject in float32"
        )
    return Pairs(feature, position, activation)


def site_dtype(subject: ReadableSubject, dictionary: Dictionary) -> str:
    """The precision of the site's activations, found by one tiny forward pass.

    Raises:
        ShapeMismatchError: the site is not as wide as the dictionary's input.
    """
    with torch.inference_mode():
        activations = subject.activations(dictionary.site, torch.zeros(1, 2, dtype=torch.int64))
    if activations.shape[-1] != dictionary.d_in:
        raise ShapeMismatchError(
            f"the dictionary {dictionary.name!r} reads {dictionary.d_in} values, but {dictionary.site} "
            f"of the subject {subject.name!r} has {activations.shape[-1]}: choose a dictionary of this site"
        )
    return str(activations.dtype).removeprefix("torch.")


def shard_positions(
    subject: ReadableSubject, dictionary: Dictionary, tokens: SplitTokens, batch_tokens: int
) -> int:
    """How many positions a shard should hold: few enough for its pairs to stay small in memory."""
    first = next(batches(tokens, 0, 1, batch_tokens))
    head = Batch(*(array[:, :PLAN_TOKENS] for array in (first.ids, first.real, first.position)))
    per_token = len(encode_batch(subject, dictionary, head, 0).feature) / head.ids.size
    blocks = min(max(1, len(tokens.ids) // (SHARDS_PER_SPLIT * 2**16)), MOST_BLOCKS)
    return min(blocks * 2**16, max(batch_tokens, int(SHARD_PAIRS / max(per_token, 1))))
