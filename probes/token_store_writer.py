"""Tokenises a corpus into the three split streams of a token store, one document at a time.

With a limit on tokens the candidates are tokenised twice, once to count and once to store: that costs
seconds where the forward passes cost minutes, and keeps memory free of texts and tokens.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Int

from glossator.errors import CorpusError
from glossator.probes.atomic_file import written_atomically
from glossator.probes.corpus_document import Document
from glossator.probes.corpus_survey import Survey, read_again
from glossator.probes.split_assignment import SplitAssigner
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_store import ROWS, file_names, ids_dtype
from glossator.records import Split

MINIMUM_SPLIT_TOKENS = 256
"""Tokens that each split must have at least."""
LONGEST_PIECE = 100_000
"""Characters that are tokenised at once; longer documents are cut before a space."""
BATCH_CHARACTERS = 400_000
"""Characters handed to the tokenizer in one call."""
LONGEST_TOKEN = 16
"""Characters per token kept when a document is cut for a limit on its tokens."""


class SplitSize(NamedTuple):
    """How much one split got."""

    documents: int
    rows: int
    tokens: int
    """Positions of its stream, row prefixes included."""


class Numbered(NamedTuple):
    """A document with its place in the corpus."""

    number: int
    document: Document


def write_token_store(
    folder: Path,
    documents: Iterable[Document],
    surveyed: Survey,
    subject: ReadableSubject,
    context: int,
    progress: Callable[[int], None] | None = None,
) -> dict[Split, SplitSize]:
    """Tokenise what `surveyed` leaves of `documents` and store it in `folder`, split by split.

    Args:
        folder: where the files go; it exists.
        documents: the corpus, read again from its start.
        surveyed: the survey of the same corpus.
        subject: whose tokenizer is used.
        context: the most tokens in a row, without the subject's row prefix.
        progress: called with the number of documents read so far.

    Raises:
        CorpusError: a split is left without documents or with too few tokens; says how many there are.
        StorageError: the files cannot be written.
    """
    quota = _quota(documents, surveyed, subject)
    assigner = SplitAssigner()
    with contextlib.ExitStack() as stack:
        writers = {split: _SplitWriter(folder, split, subject, context, stack) for split in Split}
        seen_ids: set[str] = set()
        for batch in _batches(read_again(documents, surveyed)):
            splits = [assigner.assign(item.document.text) for item in batch]
            wanted = [i for i, item in enumerate(batch) if quota is None or quota[item.number] > 0]
            ids = _tokenize(subject, [batch[i].document.text for i in wanted], surveyed.most_per_document)
            for i, tokens in zip(wanted, ids, strict=True):
                number, document = batch[i]
                kept = tokens if quota is None else tokens[: int(quota[number])]
                writers[splits[i]].add(_unique(document, seen_ids), kept)
            if progress is not None:
                progress(batch[-1].number + 1)
        sizes = {split: writer.size for split, writer in writers.items()}
        _check_sizes(sizes, surveyed)
    return sizes


class _SplitWriter:
    """The three open files of one split."""

    def __init__(
        self, folder: Path, split: Split, subject: ReadableSubject, context: int, stack: contextlib.ExitStack
    ) -> None:
        self._ids, self._rows, self._documents = (
            stack.enter_context(written_atomically(folder / name)) for name in file_names(split)
        )
        self._dtype = ids_dtype(len(subject.vocabulary))
        self._prefix = np.array(subject.row_prefix, dtype=self._dtype)
        self._context = context
        self.size = SplitSize(0, 0, 0)

    def add(self, document: Document, tokens: Int[np.ndarray, " tokens"]) -> None:
        """Append a document's rows; one without tokens is left out."""
        if len(tokens) == 0:
            return
        count = -(-len(tokens) // self._context)
        borders = np.arange(count + 1) * len(tokens) // count
        rows = np.zeros(count, dtype=ROWS)
        rows["document"] = self.size.documents
        rows["length"] = np.diff(borders) + len(self._prefix)
        pieces = [
            part
            for piece in np.split(tokens.astype(self._dtype), borders[1:-1])
            for part in (self._prefix, piece)
        ]
        _write(self._ids, np.concatenate(pieces))
        _write(self._rows, rows)
        record = [document.id, document.title, document.genre]
        self._documents.write(json.dumps(record, ensure_ascii=True).encode() + b"\n")
        total = self.size.tokens + int(rows["length"].sum())
        self.size = SplitSize(self.size.documents + 1, self.size.rows + count, total)


def _write(stream: BinaryIO, array: np.ndarray) -> None:
    stream.write(array.tobytes())


def _quota(
    documents: Iterable[Document], surveyed: Survey, subject: ReadableSubject
) -> Int[np.ndarray, " documents"] | None:
    """Tokens to take of each document; None for all of all."""
    if surveyed.tokens is None:
        return None
    widen = 1
    while True:
        candidates = surveyed.candidates(widen)
        counts = np.zeros(len(candidates), dtype=np.int64)
        for batch in _batches(read_again(documents, surveyed)):
            wanted = [item for item in batch if candidates[item.number]]
            texts = [item.document.text for item in wanted]
            for item, ids in zip(wanted, _tokenize(subject, texts, surveyed.most_per_document), strict=True):
                counts[item.number] = len(ids)
        quota = surveyed.quota(counts)
        if candidates.all() or int(quota.sum()) >= surveyed.tokens:
            return quota
        widen *= 4


def _batches(documents: Iterable[Document]) -> Iterator[list[Numbered]]:
    batch: list[Numbered] = []
    characters = 0
    for number, document in enumerate(documents):
        batch.append(Numbered(number, document))
        characters += len(document.text)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _tokenize(
    subject: ReadableSubject, texts: list[str], most: int | None
) -> list[Int[np.ndarray, " tokens"]]:
    """Token ids of each text, at most `most` of them."""
    cut = [text if most is None else text[: most * LONGEST_TOKEN] for text in texts]
    pieces = [list(_pieces(text)) for text in cut]
    flat = subject.tokenize([piece for group in pieces for piece in group]) if cut else []
    out: list[Int[np.ndarray, " tokens"]] = []
    at = 0
    for group in pieces:
        joined = [token for ids in flat[at : at + len(group)] for token in ids]
        out.append(np.array(joined[:most], dtype=np.int64))
        at += len(group)
    return out


def _pieces(text: str) -> Iterator[str]:
    while len(text) > LONGEST_PIECE:
        border = max(text.rfind(" ", 1, LONGEST_PIECE), text.rfind("\n", 1, LONGEST_PIECE))
        end = border if border > 0 else LONGEST_PIECE
        yield text[:end]
        text = text[end:]
    yield text


def _unique(document: Document, seen: set[str]) -> Document:
    """`document` with an id that no earlier one has."""
    identity, repeat = document.id, 1
    while identity in seen:
        repeat += 1
        identity = f"{document.id}~{repeat}"
    seen.add(identity)
    return document._replace(id=identity)


def _check_sizes(sizes: dict[Split, SplitSize], surveyed: Survey) -> None:
    if all(size.tokens >= MINIMUM_SPLIT_TOKENS for size in sizes.values()):
        return
    found = ", ".join(
        f"{split} {size.documents} documents and {size.tokens} tokens" for split, size in sizes.items()
    )
    limit = "" if surveyed.tokens is None else f" within the limit of {surveyed.tokens} tokens"
    raise CorpusError(
        f"the corpus is too small to split: {len(surveyed.characters)} documents were read, and{limit} gave "
        f"{found}; each split needs {MINIMUM_SPLIT_TOKENS} tokens. Give at least 30 documents (a single file "
        "of text is cut into documents; a fifth is for validation, another sealed) or raise the token limit"
    )
