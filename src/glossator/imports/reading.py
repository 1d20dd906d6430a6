"""Which formats are read, and all labels of a folder at once: none is used before the last is read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from glossator.errors import UserError
from glossator.imports.delphi import read_delphi
from glossator.imports.neuronpedia import read_neuronpedia
from glossator.records import ImportedLabel


class ImportKind(StrEnum):
    """A format."""

    NEURONPEDIA = "neuronpedia"
    """Neuronpedia's bulk layout."""
    DELPHI = "delphi"
    """The folders of a Delphi run."""


def read_labels(
    kind: ImportKind, folder: Path, *, n_features: int, source: str | None = None
) -> list[ImportedLabel]:
    """Every label of `folder`; all of them, or an error.

    Args:
        kind: the format.
        folder: where the files are.
        n_features: width of the dictionary that the labels are for.
        source: which dictionary of the folder, where it holds several.

    Raises:
        ImportedFileError: a file is damaged.
        UserError: there is nothing to import, or the labels are of a wider dictionary.
    """
    readers = {ImportKind.NEURONPEDIA: read_neuronpedia, ImportKind.DELPHI: read_delphi}
    labels: Iterator[ImportedLabel] = readers[kind](folder.expanduser().absolute(), source)
    read: list[ImportedLabel] = []
    for label in labels:
        if label.feature >= n_features:
            raise UserError(
                f"{label.source!r} labels feature {label.feature}, and the dictionary has {n_features}, "
                f"numbered 0-{n_features - 1}: these are labels of another dictionary; choose theirs with "
                "--dictionary"
            )
        read.append(label)
    return read
