"""What an export needs to know beside the cards, and what it says when it is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from glossator.errors import UserError
from glossator.records import Evidence, FeatureNames, Record, SiteKind, SiteRef

NEURONPEDIA_CREATOR = "clkht01d40000jv08hvalcvly"
"""The user whom Neuronpedia's own writers name as author and creator where no other is set."""

FindEvidence = Callable[[str], Evidence | None]
"""The evidence with an id; None if there is none."""
_HOOKS = {
    SiteKind.RESID: "hook_resid_post",
    SiteKind.MLP_OUT: "hook_mlp_out",
    SiteKind.MLP_HIDDEN: "mlp.hook_post",
    SiteKind.ATTN_Z: "attn.hook_z",
}
_MODULES = {
    SiteKind.RESID: "",
    SiteKind.MLP_OUT: ".mlp",
    SiteKind.MLP_HIDDEN: ".mlp.down_proj",
    SiteKind.ATTN_Z: ".self_attn.o_proj",
}


class ExportKind(StrEnum):
    """A format."""

    NEURONPEDIA = "neuronpedia"
    """Neuronpedia's bulk layout."""
    DELPHI = "delphi"
    """The folders of a Delphi run."""
    JSONL = "jsonl"
    """One card a line."""
    CSV = "csv"
    """One feature a row, for spreadsheets."""


class ExportContext(Record):
    """The dictionary that is exported, in the words of the formats."""

    names: FeatureNames
    """Subject and dictionary."""
    site: SiteRef | None = None
    """Where the dictionary reads; tables can do without."""
    corpus: str
    """What the texts are called; never a path."""
    n_layers: int = Field(default=0, ge=0)
    """Blocks of the subject; only Neuronpedia's files say it."""
    neurons_per_layer: int = Field(default=0, ge=0)
    """Hidden neurons of one of its MLPs; only Neuronpedia's files say it."""
    model_id: str = ""
    """What the model is called in the other format; by default the subject's name."""
    source_set: str = ""
    """Neuronpedia's name of the dictionaries that belong together; by default from the dictionary's."""
    creator: str = NEURONPEDIA_CREATOR
    """Id of the Neuronpedia user who is named as author; must exist where the files are imported."""
    hookpoint: str = ""
    """Delphi's name of the site; by default the module's in a Llama-like model."""
    with_evidence: bool = False
    """Whether all evidence goes into a file of its own."""

    @property
    def place(self) -> SiteRef:
        """The site; raises `UserError` where it is not known."""
        if self.site is None:
            raise UserError(f"where {self.names.dictionary!r} reads is not known: say it with --site")
        return self.site

    @property
    def neuronpedia_model(self) -> str:
        """The model's id as Neuronpedia allows it: letters, digits, `-` and `_`, lower case."""
        return _plain(self.model_id or self.names.subject).lower()

    @property
    def neuronpedia_set(self) -> str:
        """The source set; the layer, which the source's id begins with, is not said twice."""
        return _plain(self.source_set or self.names.dictionary.removeprefix(f"{self.place.layer}-"))

    @property
    def neuronpedia_source(self) -> str:
        """The source's id: the layer, a dash, the source set."""
        return f"{self.place.layer}-{self.neuronpedia_set}"

    @property
    def hook_name(self) -> str:
        """The site in TransformerLens' words, as Neuronpedia stores it."""
        return f"blocks.{self.place.layer}.{_HOOKS[self.place.kind]}"

    @property
    def delphi_hookpoint(self) -> str:
        """The module whose activations the dictionary reads, by its place in the model."""
        return self.hookpoint or f"layers.{self.place.layer}{_MODULES[self.place.kind]}"


class ExportReport(Record):
    """What was written, and what was not."""

    kind: ExportKind
    """The format."""
    features: int
    """Cards that were read."""
    labels: int
    """Labels that were written: accepted and tentative ones."""
    files: tuple[str, ...]
    """Files, relative to the folder; for formats with a file a feature, folders with the number of files."""
    rows: dict[str, int]
    """What was written, by kind."""
    left_out: dict[str, int]
    """Reason to count, for what the cards hold and the files do not; 0 where it is not of single cards."""


def safe_corpus_name(source: str) -> str:
    """What a corpus is called without saying where it lies on this machine."""
    return source if source.startswith("hf:") or source == "starter" else Path(source).name or "corpus"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "unnamed"
