"""The token texts of an index, so that it can be read without its subject."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from glossator.errors import CorruptFileError
from glossator.probes.activation_index.progress import NEXT_STEP
from glossator.probes.atomic_file import written_atomically
from glossator.probes.vocabulary import Vocabulary

VOCABULARY = "vocabulary.json.zlib"


def write_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    """Store `vocabulary` as compressed JSON."""
    raw = json.dumps({"texts": vocabulary.texts, "special": sorted(vocabulary.special_ids)}).encode()
    with written_atomically(folder / VOCABULARY) as stream:
        stream.write(zlib.compress(raw, 6))


def read_vocabulary(folder: Path) -> Vocabulary:
    """What was stored; raises `CorruptFileError` if the file is truncated or altered."""
    path = folder / VOCABULARY
    try:
        stored = json.loads(zlib.decompress(path.read_bytes()))
        return Vocabulary(tuple(stored["texts"]), frozenset(stored["special"]))
    except (OSError, zlib.error, ValueError, KeyError, TypeError) as exc:
        raise CorruptFileError(
            f"{str(path)!r} is missing, truncated or altered; {NEXT_STEP} again to redo it"
        ) from exc
