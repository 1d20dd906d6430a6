"""What an index holds, in a few numbers."""

from __future__ import annotations

import numpy as np

from glossator.probes.activation_index.manifest import MANIFEST
from glossator.probes.activation_index.reader import ActivationIndex
from glossator.records import Split
from glossator.records.base import Record


class SplitSummary(Record):
    """One split."""

    documents: int
    """Documents."""
    tokens: int
    """Positions of its stream."""
    activations: int
    """Stored activations."""


class IndexSummary(Record):
    """A whole index."""

    folder: str
    """Where it is."""
    identity: str
    """SHA-256 over all that it was built from."""
    subject: str
    """The subject's name."""
    dictionary: str
    """The dictionary's name."""
    site: str
    """Where the dictionary reads."""
    n_features: int
    """Features of the dictionary."""
    live_features: int
    """Features that fire at least once on `explore`."""
    median_density: float
    """Of the live features: share of eligible `explore` tokens."""
    splits: dict[Split, SplitSummary]
    """Sizes by split."""
    activations: int
    """Stored activations."""
    bytes: int
    """Of all its files."""

    @property
    def bytes_per_activation(self) -> float:
        """Everything included."""
        return self.bytes / max(self.activations, 1)


def summarise(index: ActivationIndex) -> IndexSummary:
    """The numbers of `index`, from its manifest and statistics."""
    manifest, live = index.manifest, index.live_features()
    size = (index.path / MANIFEST).stat().st_size + sum(file.size for file in manifest.files)
    splits = {
        split: SplitSummary(documents=stored.documents, tokens=stored.tokens, activations=stored.pairs)
        for split, stored in manifest.splits.items()
    }
    return IndexSummary(
        folder=str(index.path),
        identity=index.identity,
        subject=manifest.subject,
        dictionary=manifest.dictionary,
        site=manifest.identity.site,
        n_features=index.n_features,
        live_features=len(live),
        median_density=float(np.median(index.statistics.density[live])) if len(live) else 0.0,
        splits=splits,
        activations=sum(split.activations for split in splits.values()),
        bytes=size,
    )
