"""Reads an activation index: where any feature fires, in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from glossator.errors import CorruptFileError, IndexMismatchError, StorageError, UnknownNameError
from glossator.probes.activation_index.coactivation import coactivation
from glossator.probes.activation_index.identity import IndexIdentity
from glossator.probes.activation_index.manifest import Manifest, read_manifest
from glossator.probes.activation_index.position_mass import PositionMass, position_mass
from glossator.probes.activation_index.progress import NEXT_STEP
from glossator.probes.activation_index.recent_firings import RecentFirings
from glossator.probes.activation_index.shard import Shard
from glossator.probes.activation_index.statistics import FeatureStatistics, read_statistics
from glossator.probes.activation_index.stored_vocabulary import read_vocabulary
from glossator.probes.activation_index.token_concentration import TokenConcentration, token_concentration
from glossator.probes.dictionary import Dictionary
from glossator.probes.neighbours import Neighbours
from glossator.probes.split_view import ExploreView, Firings, ValidateView
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_store import SplitTokens
from glossator.probes.token_text import TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef, Split


class StoredFirings:
    """One split's firings, read from its shards."""

    def __init__(self, tokens: SplitTokens, shards: Sequence[Shard], n_features: int) -> None:
        self._tokens, self._shards, self._n_features = tokens, shards, n_features
        self._recent = RecentFirings()

    @property
    def text(self) -> TokenText:
        """The split's token stream."""
        return self._tokens.text

    @property
    def n_features(self) -> int:
        """Features of the dictionary."""
        return self._n_features

    def firings(self, feature: int) -> Firings:
        """Where `feature` fires, in order of position; the arrays are read-only."""
        check_feature(feature, self._n_features)
        known = self._recent.get(feature)
        return self._recent.keep(feature, self._read(feature)) if known is None else known

    def _read(self, feature: int) -> Firings:
        parts = [shard.firings(feature) for shard in self._shards]
        if len(parts) == 1:
            return parts[0]
        return Firings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class ActivationIndex:
    """A complete index. Made by `open`; sealed text is reached through `probes.sealed_split` alone."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path, expect: IndexIdentity | None = None) -> ActivationIndex:
        """The index in the folder `path`.

        Args:
            path: the folder.
            expect: what it must have been built from; None for anything.

        Raises:
            UnknownNameError: there is no index.
            StorageError: its build was not finished.
            CorruptFileError: a file is missing, truncated or altered.
            IndexMismatchError: it was built from something else than `expect`; says what differs.
        """
        path = Path(path)
        manifest = read_manifest(path)
        if manifest is None:
            raise UnknownNameError(f"there is no activation index in {str(path)!r}: {NEXT_STEP} to make one")
        if expect is not None:
            manifest.identity.require(expect, path)
        if not manifest.complete:
            raise StorageError(
                f"the activation index in {str(path)!r} is not finished; {NEXT_STEP} again "
                "to go on where it stopped"
            )
        for file in manifest.files:
            file.check_size(path)
        return cls(path, manifest)

    @property
    def identity(self) -> str:
        """SHA-256 over all that the index was built from."""
        return self.manifest.identity.digest

    @property
    def site(self) -> SiteRef:
        """Where the dictionary reads."""
        return SiteRef.parse(self.manifest.identity.site)

    @property
    def n_features(self) -> int:
        """Features of the dictionary."""
        return self.manifest.n_features

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The subject's token texts."""
        return read_vocabulary(self.path)

    @cached_property
    def explore(self) -> ExploreView:
        """What explainers and experiments may see."""
        return ExploreView(self._source(Split.EXPLORE))

    @cached_property
    def validate(self) -> ValidateView:
        """What choosing among hypotheses may see."""
        return ValidateView(self._source(Split.VALIDATE))

    @cached_property
    def statistics(self) -> FeatureStatistics:
        """Counts, maxima and histograms over `explore`."""
        return read_statistics(self.path)

    def live_features(self, min_firings: int = 1) -> Int[np.ndarray, " live"]:
        """Features that fire at least `min_firings` times on `explore`, ascending."""
        return self.statistics.live(min_firings)

    def coactivation(self, feature: int, k: int) -> Neighbours:
        """At most `k` features that fire along with `feature` on `explore`, nearest first."""
        check_feature(feature, self.n_features)
        return coactivation(self._shards(Split.EXPLORE), self.n_features, feature, k)

    def mass_on(self, chosen: Bool[np.ndarray, " positions"]) -> PositionMass:
        """How much of every feature's activation lies on the `chosen` positions of `explore`."""
        return position_mass(self._shards(Split.EXPLORE), self.n_features, chosen)

    def token_concentration(self) -> TokenConcentration:
        """On how few tokens of `explore` each feature's activation falls, by a sample of its shards."""
        return token_concentration(self._shards(Split.EXPLORE), self.explore.text.ids, self.n_features)

    def require(self, subject: ReadableSubject, dictionary: Dictionary) -> None:
        """Raise `IndexMismatchError` unless the index was built from this subject and dictionary."""
        identity = self.manifest.identity
        found = {
            "subject": (identity.subject, subject.fingerprint()),
            "vocabulary": (identity.vocabulary, subject.vocabulary.fingerprint),
            "dictionary": (identity.dictionary, dictionary.fingerprint()),
            "site": (identity.site, str(dictionary.site)),
        }
        wrong = [
            f"{what} is {ours[:12]!r}, not {theirs[:12]!r}"
            for what, (ours, theirs) in found.items()
            if ours != theirs
        ]
        if wrong:
            raise IndexMismatchError(
                f"the index in {str(self.path)!r} was built with {self.manifest.subject!r} and "
                f"{self.manifest.dictionary!r}, asked for are {subject.name!r} and {dictionary.name!r}: its "
                f"{'; '.join(wrong)}. Build an index for them in another folder"
            )

    def verify(self) -> None:
        """Read every file and raise `CorruptFileError` at the first that is not what was written."""
        for file in self.manifest.files:
            if not file.is_intact(self.path):
                raise CorruptFileError(
                    f"{str(self.path / file.name)!r} is truncated or altered; {NEXT_STEP} again to redo it"
                )

    def _source(self, split: Split) -> StoredFirings:
        return StoredFirings(
            SplitTokens(self.path, split, self.vocabulary), self._shards(split), self.n_features
        )

    def _shards(self, split: Split) -> list[Shard]:
        if split not in self._opened:
            self._opened[split] = [
                Shard.open(self.path / file.name) for file in self.manifest.splits[split].shards
            ]
        return self._opened[split]

    @cached_property
    def _opened(self) -> dict[Split, list[Shard]]:
        return {}


def check_feature(feature: int, n_features: int) -> None:
    """Raise `UnknownNameError` unless `feature` is one of `n_features`."""
    if not 0 <= feature < n_features:
        raise UnknownNameError(
            f"unknown feature {feature!r}: the dictionary has features 0 to {n_features - 1}"
        )
