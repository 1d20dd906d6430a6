"""Activations of one site on disk: a flat float16 file that training reads in shuffled batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.errors import StorageError
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_rows import Row, eligible_activations, row_batches
from glossator.records import SiteRef

LARGEST = 65504.0
"""The largest float16; larger activations are cut there."""


class Harvest(NamedTuple):
    """A harvest that is on disk."""

    path: Path
    """A .npy of float16 [tokens, d]."""
    tokens: int
    d: int
    cut: int
    """Values that were beyond float16 and were cut."""

    def open(self) -> np.ndarray:
        """The activations, memory-mapped."""
        return np.load(self.path, mmap_mode="r")


def harvest(
    subject: ReadableSubject,
    site: SiteRef,
    rows: list[Row],
    path: Path,
    *,
    batch_tokens: int = 2048,
    progress: Callable[[int, int], None] | None = None,
) -> Harvest:
    """Write the activations of all eligible tokens of `rows` to `path`.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    batches = list(row_batches(subject, rows, batch_tokens))
    total = sum(int(batch.eligible.sum()) for batch in batches)
    width = eligible_activations(subject, site, batches[0]).shape[1]
    try:
        out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(total, width))
        at = cut = 0
        for batch in batches:
            x = eligible_activations(subject, site, batch).cpu()
            cut += int((x.abs() > LARGEST).sum())
            out[at : at + x.shape[0]] = x.clamp(-LARGEST, LARGEST).numpy().astype(np.float16)
            at += x.shape[0]
            if progress is not None:
                progress(at, total)
        out.flush()
    except OSError as exc:
        raise StorageError(f"cannot write activations to {str(path)!r}: {exc}") from exc
    return Harvest(path, total, width, cut)


def shuffled_batches(
    harvested: Harvest, batch: int, seed: int, device: str = "cpu"
) -> Iterator[Float[torch.Tensor, "batch d"]]:
    """Batches without end: each pass over the harvest in another random order."""
    data, rng = harvested.open(), np.random.default_rng(seed)
    size = min(batch, harvested.tokens)
    while True:
        order = rng.permutation(harvested.tokens)
        for at in range(0, harvested.tokens - size + 1, size):
            chosen = np.sort(order[at : at + size])  # in order on disk; a batch has no order of its own
            yield torch.from_numpy(data[chosen].astype(np.float32)).to(device)
