"""Exact top-k of a wide linear encoder, with candidates preselected in bfloat16.

All pre-activations are computed once in bfloat16; a floor per token, below which no feature can be
among its best `k + margin`, leaves a few candidates more than `k`; only those are computed again, in
float32. What can differ from the exact answer is which of nearly tied features is kept, and whether
one that is within rounding of 0 fires.

The floor: cut the features into G groups; the m-th largest of the G group maxima is at most the m-th
largest pre-activation, so at least m features reach it, and for G well above m hardly more do. That
costs one pass of `max` and one of `>=`, where `torch.topk` costs as much as the matrix product on a
CPU. Positive bfloat16 numbers order like the int16 with the same bits, which numpy compares at full
width. The float32 values come from `torch.sparse.sampled_addmm`, which reads encoder rows in place.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from glossator.probes.dictionary import SparsePairs
from glossator.probes.exact_encoding import joined, ordered, shifted

CELLS = 1 << 25
"""Pre-activations held at once: 64 MiB in bfloat16."""
CHUNK = 1 << 16
"""Features taken at once where a dictionary is wider."""
GATHERED = 1 << 24
"""Encoder weights gathered at once on an accelerator: 64 MiB."""

# sampled_addmm on CSR is the one feature of that "beta" that is used here, and a test pins its values.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")


@dataclass(frozen=True)
class LinearEncoder:
    """Pre-activations are `x @ rows.T + bias`."""

    rows: Float[torch.Tensor, "features d_in"]
    """Encoder directions, row-major float32."""
    bias: Float[torch.Tensor, " features"]
    low_rows: Float[torch.Tensor, "features d_in"]
    """The same in bfloat16."""
    low_bias: Float[torch.Tensor, " features"]

    @classmethod
    def of(
        cls, rows: Float[torch.Tensor, "features d_in"], bias: Float[torch.Tensor, " features"]
    ) -> LinearEncoder:
        """An encoder with its bfloat16 copies."""
        return cls(rows, bias, rows.bfloat16(), bias.bfloat16())


def candidate_count(k: int) -> int:
    """How many candidates per token are wanted: a third more than `k`, and at least 8 more."""
    return k + max(8, k // 3)


def group_count(k: int) -> int:
    """Groups for the floor: a power of two, at least 8 times the candidates, so that few hold two of them."""
    return max(256, 1 << (8 * candidate_count(k) - 1).bit_length())


def worthwhile(features: int, k: int) -> bool:
    """Whether preselection can save anything; narrow dictionaries are as fast exactly."""
    return features >= 4 * group_count(k)


def fast_top_k(x: Float[torch.Tensor, "tokens d_in"], encoder: LinearEncoder, k: int) -> SparsePairs:
    """The `k` largest pre-activations of each token, where above 0; by token, then feature."""
    size = max(1, CELLS // min(encoder.rows.shape[0], CHUNK))
    block_top_k = _block_top_k_cpu if x.device.type == "cpu" else _block_top_k_accelerator
    parts = [shifted(block_top_k(x[i : i + size], encoder, k), i) for i in range(0, x.shape[0], size)]
    return joined(parts, x.device)


def _block_top_k_cpu(x: Float[torch.Tensor, "tokens d_in"], encoder: LinearEncoder, k: int) -> SparsePairs:
    row, feature = _candidates(x, encoder, k)
    tokens = x.shape[0]
    counts = np.bincount(row, minlength=tokens)
    start = np.zeros(tokens + 1, dtype=np.int64)
    np.cumsum(counts, out=start[1:])
    value = _sampled(x, encoder, start, feature)
    keep = _best_of_rows(value, row, start, k)
    return SparsePairs(*(torch.from_numpy(part[keep]) for part in (row, feature, value)))


def _candidates(
    x: Float[torch.Tensor, "tokens d_in"], encoder: LinearEncoder, k: int
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Token and feature of each candidate, by token and then feature."""
    floor = np.ones(x.shape[0], dtype=np.int16)  # the smallest positive bfloat16
    low, rows, features = x.bfloat16(), list[np.ndarray](), list[np.ndarray]()
    for start, pre in _low_preactivations(low, encoder):
        floor = np.maximum(floor, _floor(pre, k))
        row, column = np.divmod(np.flatnonzero(pre >= floor[:, None]), pre.shape[1])
        rows.append(row)
        features.append(column + start)
    if len(rows) == 1:
        return rows[0], features[0]
    row, feature = np.concatenate(rows), np.concatenate(features)
    order = np.argsort(row, kind="stable")
    return row[order], feature[order]


def _low_preactivations(
    low: Float[torch.Tensor, "tokens d_in"], encoder: LinearEncoder
) -> Iterator[tuple[int, Int[np.ndarray, "tokens chunk"]]]:
    """First feature, and bfloat16 pre-activations as the int16 of the same bits, chunk by chunk."""
    for start in range(0, encoder.low_rows.shape[0], CHUNK):
        chunk = slice(start, start + CHUNK)
        pre = torch.nn.functional.linear(low, encoder.low_rows[chunk], encoder.low_bias[chunk])
        yield start, pre.view(torch.int16).numpy()


def _floor(pre: Int[np.ndarray, "tokens chunk"], k: int) -> Int[np.ndarray, " tokens"]:
    """A value per token that at least `candidate_count(k)` of its pre-activations reach.

    A last chunk that is too narrow to be cut into groups sets no floor of its own.
    """
    tokens, width = pre.shape
    wanted, groups = candidate_count(k), group_count(k)
    if width < groups:
        return np.ones(tokens, dtype=np.int16)
    depth = width // groups
    maxima = pre[:, : depth * groups].reshape(tokens, depth, groups).max(axis=1)
    return np.partition(maxima, groups - wanted, axis=1)[:, groups - wanted]


def _sampled(
    x: Float[torch.Tensor, "tokens d_in"],
    encoder: LinearEncoder,
    start: Int[np.ndarray, " boundaries"],
    feature: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Float32 pre-activations of the candidates only."""
    column = torch.from_numpy(feature)
    shape = (x.shape[0], encoder.rows.shape[0])
    wanted = torch.sparse_csr_tensor(
        torch.from_numpy(start), column, torch.zeros(len(feature)), shape, check_invariants=False
    )
    values = torch.sparse.sampled_addmm(wanted, x.contiguous(), encoder.rows.T, beta=0.0).values()
    return (values + encoder.bias[column]).numpy()


def _best_of_rows(
    value: Float[np.ndarray, " n"], row: Int[np.ndarray, " n"], start: Int[np.ndarray, " boundaries"], k: int
) -> Int[np.ndarray, " kept"]:
    """Which candidates are among the `k` largest of their token and above 0, in order."""
    tokens, width = len(start) - 1, max(int(np.diff(start).max(initial=0)), k)
    slot = np.arange(len(row)) - start[row] + row * width
    padded = np.zeros(tokens * width, dtype=np.float32)
    padded[slot] = value
    best = np.argpartition(padded.reshape(tokens, width), width - k, axis=1)[:, width - k :]
    chosen = np.zeros((tokens, width), dtype=bool)
    np.put_along_axis(chosen, best, True, axis=1)
    return np.flatnonzero(chosen.reshape(-1)[slot] & (value > 0))


def _block_top_k_accelerator(
    x: Float[torch.Tensor, "tokens d_in"], encoder: LinearEncoder, k: int
) -> SparsePairs:
    low, wanted = x.bfloat16(), candidate_count(k)
    values = indices = None
    for start in range(0, encoder.rows.shape[0], CHUNK):
        chunk = slice(start, start + CHUNK)
        pre = torch.nn.functional.linear(low, encoder.low_rows[chunk], encoder.low_bias[chunk])
        found = pre.topk(min(wanted, pre.shape[1]), dim=1, sorted=False)
        here = found.indices + start
        values = found.values if values is None else torch.cat([values, found.values], 1)
        indices = here if indices is None else torch.cat([indices, here], 1)
    assert values is not None, "a dictionary has at least one feature"
    assert indices is not None, "set together with values"
    candidates = indices.gather(1, values.topk(wanted, dim=1, sorted=False).indices)
    exact = _gathered(x, encoder, candidates)
    best = exact.topk(k, dim=1, sorted=False)
    token, slot = (best.values > 0).nonzero(as_tuple=True)
    return ordered(
        SparsePairs(token, candidates.gather(1, best.indices)[token, slot], best.values[token, slot])
    )


def _gathered(
    x: Float[torch.Tensor, "tokens d_in"],
    encoder: LinearEncoder,
    candidates: Int[torch.Tensor, "tokens wanted"],
) -> Float[torch.Tensor, "tokens wanted"]:
    """Float32 pre-activations of the candidates, gathering encoder rows block by block."""
    size = max(1, GATHERED // (candidates.shape[1] * x.shape[1]))
    parts = [
        torch.bmm(encoder.rows[candidates[i : i + size]], x[i : i + size].unsqueeze(-1)).squeeze(-1)
        for i in range(0, x.shape[0], size)
    ]
    return torch.cat(parts) + encoder.bias[candidates]
