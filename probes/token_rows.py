"""Rows of tokens drawn from a corpus, for training and measuring dictionaries.

An activation index stores its tokens; here rows are drawn and forgotten. Splits are assigned as the
index assigns them, near duplicates included, so that what trains on explore and validate never meets a
sealed text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from glossator.errors import CorpusError
from glossator.probes.corpus_document import Document
from glossator.probes.split_assignment import SplitAssigner
from glossator.probes.subject_protocol import ReadableSubject
from glossator.records import SiteRef, Split

SCANNED = 20
"""Tokens looked at per token wanted: larger corpora are not read to their end."""
SHORTEST = 8
"""Rows with fewer tokens are left out."""

Row = Int[np.ndarray, " _"]


class RowBatch(NamedTuple):
    """Rows for one forward pass, padded on the right."""

    ids: Int[torch.Tensor, "rows width"]
    """Token ids; 0 at padding."""
    mask: Int[torch.Tensor, "rows width"]
    """0 at padding."""
    eligible: Bool[torch.Tensor, "rows width"]
    """False at padding, at first positions (attention sinks) and at special tokens."""


def draw_rows(
    subject: ReadableSubject,
    documents: Iterable[Document],
    splits: Collection[Split],
    *,
    tokens: int,
    context: int,
    seed: int,
) -> list[Row]:
    """At most `tokens` tokens as rows of at most `context`, each row of `splits` as likely as any other.

    Raises:
        CorpusError: these splits of the corpus hold no row of at least 8 tokens.
    """
    rng = np.random.default_rng(seed)
    most = max(1, tokens // context)
    kept: list[Row] = []
    scanned = 0
    for seen, row in enumerate(_rows(subject, documents, splits, min(context, subject.context_length))):
        scanned += len(row)
        if seen < most:
            kept.append(row)
        elif (place := int(rng.integers(seen + 1))) < most:  # reservoir sampling
            kept[place] = row
        if scanned > SCANNED * tokens:
            break
    if not kept:
        names = " and ".join(sorted(splits))
        raise CorpusError(
            f"the {names} part of the corpus has no row of {SHORTEST} tokens: take a larger corpus"
        )
    return kept


def _rows(
    subject: ReadableSubject, documents: Iterable[Document], splits: Collection[Split], context: int
) -> Iterator[Row]:
    assigner, prefix = SplitAssigner(), subject.row_prefix
    size = context - len(prefix)
    for document in documents:
        if assigner.assign(document.text) not in splits:
            continue
        ids = np.asarray(subject.tokenize([document.text])[0], dtype=np.int64)
        for piece in np.array_split(ids, max(1, -(-len(ids) // size))):  # ceil division
            if len(piece) >= SHORTEST:
                yield np.concatenate([np.asarray(prefix, dtype=np.int64), piece])


def row_batches(subject: ReadableSubject, rows: list[Row], batch_tokens: int) -> Iterator[RowBatch]:
    """Batches of at most `batch_tokens` cells (but at least a row), rows of like length together."""
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    special = torch.from_numpy(subject.vocabulary.special)
    at = 0
    while at < len(order):
        width = len(rows[order[at]])
        chosen = order[at : at + max(1, batch_tokens // width)]
        ids = torch.zeros(len(chosen), width, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for slot, number in enumerate(chosen):
            ids[slot, : len(rows[number])] = torch.from_numpy(rows[number])
            mask[slot, : len(rows[number])] = 1
        eligible = (mask == 1) & ~special[ids]
        eligible[:, 0] = False
        yield RowBatch(ids, mask, eligible)
        at += len(chosen)


def eligible_activations(
    subject: ReadableSubject, site: SiteRef, batch: RowBatch
) -> Float[torch.Tensor, "eligible d"]:
    """Activations at `site` on the eligible tokens of a batch, in order; float32."""
    found = subject.activations(site, batch.ids, batch.mask)
    return found[batch.eligible.to(found.device)].float()
