"""Documents from Hugging Face data sets, local or hub, through the extra `datasets`.

https://huggingface.co/docs/datasets/loading
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from glossator.errors import CorpusError, MissingExtraError, listed
from glossator.probes.corpus_document import Document

TEXT_FIELDS = ("text", "content", "document", "code")
"""Tried in this order where the spec names no field."""


def is_saved(folder: Path) -> bool:
    """Whether `folder` was written by `datasets.save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_folder(folder: Path) -> Iterator[Document]:
    """Documents of a saved data set: of its `train` split, or its only one."""
    module = _datasets(f"the data set in {str(folder)!r}")
    try:
        loaded = module.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as exc:
        raise CorpusError(f"cannot read the data set in {str(folder)!r}: {exc}; save it again") from exc
    if isinstance(loaded, Mapping):
        splits = cast(Mapping[str, Iterable[object]], loaded)
        loaded = splits["train"] if "train" in splits else next(iter(splits.values()))
    yield from _documents(cast(Iterable[Mapping[str, object]], loaded), folder.name, None)


def read_named(spec: str) -> Iterator[Document]:
    """Documents of `hf:NAME[@CONFIG][:SPLIT[:FIELD]]`, streamed."""
    name, split, field = [*spec.removeprefix("hf:").split(":"), "", ""][:3]
    name, _, config = name.partition("@")
    if not name:
        raise CorpusError(f"the corpus {spec!r} names no data set: write hf:NAME[@CONFIG][:SPLIT[:FIELD]]")
    module = _datasets(f"the corpus {spec!r}")
    try:
        rows = module.load_dataset(name, config or None, split=split or "train", streaming=True)
        yield from _documents(cast(Iterable[Mapping[str, object]], rows), spec, field or None)
    except (OSError, ValueError, KeyError) as exc:
        raise CorpusError(
            f"cannot read the data set {spec!r}: {exc}; check the name, the split and the network, "
            "or save it to a folder and give that"
        ) from exc


def _documents(rows: Iterable[Mapping[str, object]], name: str, field: str | None) -> Iterator[Document]:
    chosen = field
    for number, row in enumerate(rows):
        if chosen is None:
            chosen = next((known for known in TEXT_FIELDS if isinstance(row.get(known), str)), None)
        if chosen is None or chosen not in row:
            raise CorpusError(
                f"the data set {name!r} has no field {field or 'text'!r} of text: its fields are "
                f"{listed(row)}; name one as hf:NAME:SPLIT:FIELD"
            )
        identity, title, genre = (str(row.get(key) or "") for key in ("id", "title", "genre"))
        yield Document(identity or f"{name}:{number}", title, genre, str(row[chosen] or ""), name)


def _datasets(why: str) -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as exc:
        raise MissingExtraError.for_extra("datasets", why) from exc
