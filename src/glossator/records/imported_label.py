"""A label that somebody else wrote, as it was read from their files, with what they claim for it."""

from __future__ import annotations

from pydantic import Field

from glossator.records.base import Record
from glossator.records.evidence import Evidence, EvidenceKind
from glossator.records.feature import FeatureRef


class ClaimedScore(Record):
    """A score as it came: a claim of others, never one of ours."""

    name: str
    """What they call the measure: `eleuther_fuzz`, `detection`."""
    reader: str = ""
    """The model that read the label; empty where they do not say."""
    value: float | None
    """What they say came out; None where it could not be read from what they stored."""
    n_scored: int | None = Field(default=None, ge=0)
    """Examples behind it; None where they do not say."""
    n_failed: int | None = Field(default=None, ge=0)
    """Examples without an answer; None where they do not say."""


class ImportedLabel(Record):
    """One label of one feature."""

    feature: int = Field(ge=0)
    """Index of the feature in its dictionary."""
    text: str
    """The label as it came: not cleaned, not checked."""
    author: str
    """Who wrote it: where it is from, a colon, and the model if that is known: `neuronpedia:gpt-4o-mini`."""
    type_name: str = ""
    """How it was written, in their words: `np_max-act-logits`; empty where they do not say."""
    model: str = ""
    """The model whose feature it is of, as the files call it; empty where they do not say."""
    place: str = ""
    """The dictionary or site, as they call it: `6-res-jb`, `layers.6.mlp`; empty where they do not say."""
    claimed: tuple[ClaimedScore, ...] = ()
    """The scores that came with it."""
    source: str
    """The file that it was read from, relative to the imported folder."""

    def as_evidence(self, feature: FeatureRef) -> Evidence:
        """The label as evidence of where it is from and of what is claimed for it."""
        recipe = {"command": "import", "file": self.source}
        return Evidence.of(feature, EvidenceKind.IMPORTED, recipe, self.model_dump(mode="json"))
