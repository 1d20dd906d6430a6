"""Which features fire, exactly, in float32, without a dense [tokens, features] array.

Tokens are taken in blocks and features in chunks, so that at most `CELLS` pre-activations exist at
once; top-k keeps a running best of each token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int

from glossator.probes.dictionary import SparsePairs

CELLS = 1 << 24
"""Pre-activations held at once: 64 MiB in float32."""
CHUNK = 1 << 15
"""Features taken at once where a dictionary is wider."""

Preactivation = Callable[[slice], Float[torch.Tensor, "tokens chunk"]]
"""Pre-activations of a chunk of features for the tokens at hand."""


def feature_chunks(features: int) -> Iterator[slice]:
    """Consecutive chunks of the features."""
    for start in range(0, features, CHUNK):
        yield slice(start, min(start + CHUNK, features))


def token_blocks(tokens: int, features: int) -> Iterator[slice]:
    """Consecutive blocks of the tokens, such that a block times a feature chunk stays within `CELLS`."""
    size = max(1, CELLS // min(features, CHUNK))
    for start in range(0, tokens, size):
        yield slice(start, min(start + size, tokens))


def joined(parts: list[SparsePairs], device: torch.device) -> SparsePairs:
    """Pairs of successive token blocks as one."""
    if not parts:
        none = torch.zeros(0, dtype=torch.int64, device=device)
        return SparsePairs(none, none.clone(), torch.zeros(0, device=device))
    return SparsePairs(*(torch.cat([part[axis] for part in parts]) for axis in range(3)))


def shifted(pairs: SparsePairs, by: int) -> SparsePairs:
    """Pairs of a token block that starts at token `by`."""
    return SparsePairs(pairs.token + by, pairs.feature, pairs.value)


def ordered(pairs: SparsePairs) -> SparsePairs:
    """Pairs by token, then feature."""
    order = torch.argsort(pairs.feature)
    order = order[torch.argsort(pairs.token[order], stable=True)]
    return SparsePairs(pairs.token[order], pairs.feature[order], pairs.value[order])


def where_firing(
    values: Float[torch.Tensor, "tokens chunk"], fires: Bool[torch.Tensor, "tokens chunk"], first_feature: int
) -> SparsePairs:
    """The firing cells of one chunk as pairs."""
    token, feature = fires.nonzero(as_tuple=True)
    return SparsePairs(token, feature + first_feature, values[token, feature])


def top_k(preactivation: Preactivation, features: int, k: int) -> SparsePairs:
    """The `k` largest of each token, where above 0, by a running merge over feature chunks."""
    values: Float[torch.Tensor, "tokens kept"] | None = None
    indices: Int[torch.Tensor, "tokens kept"] | None = None
    for chunk in feature_chunks(features):
        pre = preactivation(chunk)
        found = pre.topk(min(k, pre.shape[1]), dim=1, sorted=False)
        here = found.indices + chunk.start
        if values is None or indices is None:
            values, indices = found.values, here
            continue
        both, both_indices = torch.cat([values, found.values], 1), torch.cat([indices, here], 1)
        best = both.topk(min(k, both.shape[1]), dim=1, sorted=False)
        values, indices = best.values, both_indices.gather(1, best.indices)
    assert values is not None, "a dictionary has at least one feature"
    assert indices is not None, "set together with values"
    token, slot = (values > 0).nonzero(as_tuple=True)
    return ordered(SparsePairs(token, indices[token, slot], values[token, slot]))


def batch_top_k(
    preactivation: Callable[[slice, slice], torch.Tensor], shape: tuple[int, int], k: int
) -> SparsePairs:
    """The `k` times tokens largest of the whole batch, where above 0 (https://arxiv.org/abs/2412.06410)."""
    tokens, features = shape
    kept: SparsePairs | None = None
    for block in token_blocks(tokens, features):
        for chunk in feature_chunks(features):
            pre = preactivation(block, chunk)
            found = shifted(where_firing(pre, pre > 0, chunk.start), block.start)
            both = (
                found
                if kept is None
                else SparsePairs(*(torch.cat(two) for two in zip(kept, found, strict=True)))
            )
            best = both.value.topk(min(k * tokens, both.value.shape[0]), sorted=False).indices
            kept = SparsePairs(both.token[best], both.feature[best], both.value[best])
    assert kept is not None, "a batch has at least one token"
    return ordered(kept)
