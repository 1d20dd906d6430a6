"""Readers for the folder formats in which SAEs and transcoders come.

`load_dictionary` finds out which format a folder is in. A new format is a module with a `FORMAT`,
listed in `FORMATS`.
"""

from __future__ import annotations

from pathlib import Path

import torch

from glossator.errors import SettingsError, ShapeMismatchError, UnknownNameError
from glossator.probes.dictionary import Dictionary
from glossator.probes.dictionary_formats import (
    dictionary_learning,
    gemma_scope,
    sae_lens,
    sae_lens_registry,
    sparsify,
)
from glossator.probes.dictionary_formats.stored_coder import FolderFormat, StoredCoder
from glossator.probes.raw_neurons import RawNeurons
from glossator.probes.sparse_coder import SparseCoder
from glossator.records import SiteKind, SiteRef

__all__ = ["FORMATS", "load_dictionary"]

FORMATS: tuple[FolderFormat, ...] = (
    sae_lens.FORMAT,
    sparsify.FORMAT,
    gemma_scope.FORMAT,
    dictionary_learning.FORMAT,
)
NEURONS = "neurons:"


def load_dictionary(
    spec: str | Path,
    *,
    name: str | None = None,
    site: SiteRef | None = None,
    device: str | torch.device = "cpu",
    width: int | None = None,
) -> Dictionary:
    """Load a dictionary from a folder, the sae-lens registry, or a layer's neurons.

    Args:
        spec: a folder; `saelens:RELEASE/ID`; or `neurons:LAYER`.
        name: its short name; made from site and width (`12-resid-4k`) if not given.
        site: where its input is read; needed if the folder does not say.
        device: where the weights go.
        width: width of the site's activations; needed for `neurons:LAYER`, ignored otherwise.

    Raises:
        UnknownNameError: there is no such folder, or it is in no known format, or its site is unknown.
        SettingsError: the dictionary is of a kind that is not supported.
        CorruptFileError: a file is damaged or lacks something.
        ShapeMismatchError: two of its tensors do not fit, or it belongs to another site than the one given.
        MissingExtraError: the registry is asked for and sae-lens is not installed.
    """
    text = str(spec)
    if text.startswith(NEURONS):
        return _at_its_site(_raw_neurons(text, name, width), site)
    stored = (
        sae_lens_registry.read(text)
        if text.startswith(sae_lens_registry.PREFIX)
        else _read_folder(Path(spec))
    )
    if site is not None and stored.site is not None and site != stored.site:
        raise _another_site(text, stored.site, site)
    where = site or stored.site
    if where is None:
        kinds = ", ".join(SiteKind)
        raise UnknownNameError(
            f"{text!r} reads {stored.hook}, which names no site: give --site LAYER.KIND (KIND one of {kinds})"
        )
    return SparseCoder(
        stored.weights,
        stored.options,
        name=name or default_name(where, stored.weights.W_dec.shape[0]),
        site=where,
        output_site=stored.output_site,
        device=device,
    )


def _at_its_site(neurons: Dictionary, site: SiteRef | None) -> Dictionary:
    if site is not None and site != neurons.site:
        raise _another_site(neurons.name, neurons.site, site)
    return neurons


def _another_site(dictionary: str, own: SiteRef, asked: SiteRef) -> ShapeMismatchError:
    return ShapeMismatchError(
        f"the dictionary {dictionary!r} belongs to site {str(own)!r}, not to {str(asked)!r}: leave --site out"
    )


def default_name(site: SiteRef, features: int) -> str:
    """A short name from site and width, such as `12-resid-4k`."""
    width = f"{round(features / 1024)}k" if features >= 1024 else str(features)
    return f"{site.layer}-{str(site.kind).replace('_', '-')}-{width}"


def _read_folder(path: Path) -> StoredCoder:
    known = "; ".join(f"{f.name} ({f.files})" for f in FORMATS)
    if not path.is_dir():
        raise UnknownNameError(
            f"there is no folder {str(path)!r}: give a folder of {known}, saelens:… or neurons:…"
        )
    for form in FORMATS:
        if form.recognises(path):
            return form.read(path)
    found = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
    raise UnknownNameError(f"{str(path)!r} is in no known format: it holds {found}; known are {known}")


def _raw_neurons(spec: str, name: str | None, width: int | None) -> RawNeurons:
    layer = spec.removeprefix(NEURONS)
    if not layer.isdecimal():
        raise UnknownNameError(f"{spec!r} is not neurons:LAYER, such as neurons:12")
    if width is None:
        raise SettingsError(
            f"{spec!r} needs the width of the subject's MLP: pass width, the number of its neurons"
        )
    return RawNeurons(layer=int(layer), width=width, name=name)
