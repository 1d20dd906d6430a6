"""Which formats are read, and all labels of a folder at once: none is used before the last is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from glossator.errors import UserError
from glossator.imports.delphi import delphi_width, read_delphi
from glossator.imports.neuronpedia import read_neuronpedia
from glossator.records import FeatureNames, ImportedLabel


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
        UserError: there is nothing to import, or the labels are of a dictionary of another width.
    """
    readers = {ImportKind.NEURONPEDIA: read_neuronpedia, ImportKind.DELPHI: read_delphi}
    folder = folder.expanduser().absolute()
    labels: Iterator[ImportedLabel] = readers[kind](folder, source)
    read: list[ImportedLabel] = []
    for label in labels:
        if label.feature >= n_features:
            raise _of_another(f"{label.source!r} labels feature {label.feature}", n_features)
        read.append(label)
    width = delphi_width(folder, read[0].place) if kind is ImportKind.DELPHI and read else None
    if width not in (None, n_features):
        raise _of_another(f"the run's dictionary has {width} latents", n_features)
    return read


def other_names(labels: Sequence[ImportedLabel], names: FeatureNames) -> str | None:
    """What to tell somebody who reads labels whose files name another model or layer than `names` do.

    None where they agree or do not say. Names of one model are written in many ways, so this is no error.
    """
    for label in labels:
        model = label.model and _plain(label.model) != _plain(names.subject)
        layer = _LAYER.search(label.place), _LAYER.search(names.dictionary)
        if model or (layer[0] and layer[1] and int(layer[0][1]) != int(layer[1][1])):
            theirs = "/".join(part for part in (label.model, label.place) if part)
            return (
                f"their files say that these are labels of {theirs!r}: they are joined by number to the "
                f"features of {f'{names.subject}/{names.dictionary}'!r}; be sure that those are the same"
            )
    return None


_LAYER = re.compile(r"(?<![^\W_])([0-9]{1,6})(?![^\W_])")
"""The first number that stands alone: the layer, in `6-res-jb`, `12-resid-4k` and `transformer.h.12`."""


def _plain(model: str) -> str:
    """`HuggingFaceTB/SmolLM2-135M` and `smollm2_135m` are one model."""
    return re.sub(r"[\W_]+", "-", model.rsplit("/", 1)[-1].lower())


def _of_another(said: str, n_features: int) -> UserError:
    return UserError(
        f"{said}, and the dictionary has {n_features} features, numbered 0-{n_features - 1}: these are "
        "labels of another dictionary; choose theirs with --dictionary"
    )
