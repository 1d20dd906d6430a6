"""Which feature, where it is read, and which texts may be looked at."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from glossator.errors import UnknownNameError
from glossator.records.base import Record


class Split(StrEnum):
    """What a document may be used for; assigned by a hash of its normalised text, never by hand."""

    EXPLORE = "explore"
    """Shown to explainers and experiments (60 % of documents)."""
    VALIDATE = "validate"
    """For choosing among hypotheses and tuning thresholds (20 %)."""
    SEALED = "sealed"
    """For reported scores only; opened by scorers, never by an agent (20 %)."""


class SiteKind(StrEnum):
    """A place inside one decoder block."""

    RESID = "resid"
    """The residual stream after the block: the block's output."""
    MLP_OUT = "mlp_out"
    """What the MLP adds to the residual stream."""
    MLP_HIDDEN = "mlp_hidden"
    """The MLP's hidden neurons: the input of its down projection."""
    ATTN_Z = "attn_z"
    """The heads' outputs side by side: the input of the attention's output projection."""


class SiteRef(Record):
    """A site such as `12.resid`: block 12 counted from 0, and a kind."""

    layer: int = Field(ge=0)
    """The block, counted from 0."""
    kind: SiteKind
    """The place inside the block."""

    @classmethod
    def parse(cls, text: str) -> SiteRef:
        """Read `LAYER.KIND`; raises `UnknownNameError` naming the kinds otherwise."""
        match = re.fullmatch(r"\s*(\d+)\.([a-z_]+)\s*", text)
        kinds = [str(k) for k in SiteKind]
        if match is None or match[2] not in kinds:
            raise UnknownNameError(
                f"unknown site {text!r}: a site is LAYER.KIND, such as 12.resid, "
                f"with KIND one of {', '.join(kinds)}"
            )
        return cls(layer=int(match[1]), kind=SiteKind(match[2]))

    def __str__(self) -> str:
        return f"{self.layer}.{self.kind}"


class FeatureNames(NamedTuple):
    """What the features of one index are called, apart from their number."""

    subject: str
    dictionary: str


class FeatureRef(Record):
    """One unit of one dictionary over one subject, written `smollm2-135m/12-resid-4k/812`."""

    subject: str = Field(pattern=r"^[^/\s]+$")
    """The subject's short name."""
    dictionary: str = Field(pattern=r"^[^/\s]+$")
    """The dictionary's short name."""
    index: int = Field(ge=0)
    """The unit's index in the dictionary."""

    @classmethod
    def parse(cls, text: str) -> FeatureRef:
        """Read `SUBJECT/DICTIONARY/INDEX`; raises `UnknownNameError` otherwise."""
        match = re.fullmatch(r"([^/\s]+)/([^/\s]+)/(\d+)", text.strip())
        if match is None:
            raise UnknownNameError(
                f"unknown feature {text!r}: write SUBJECT/DICTIONARY/INDEX, or the index alone"
            )
        return cls(subject=match[1], dictionary=match[2], index=int(match[3]))

    def __str__(self) -> str:
        return f"{self.subject}/{self.dictionary}/{self.index}"
