"""Who encodes the shards of an index: this process, one after the other, or others that see its folder.

A build hands over the shards that are missing and looks at the files afterwards, so it need not trust
whoever made them. A shard's bytes depend on its rows, the subject and the dictionary alone, not on who
encodes it or in which order, as long as the arithmetic is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from glossator.probes.activation_index.encoding import encode_shard
from glossator.probes.activation_index.manifest import Manifest
from glossator.probes.activation_index.shard import ShardPlace, write_shard
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_store import SplitTokens
from glossator.records import Split


@runtime_checkable
class ShardEncoder(Protocol):
    """Writes shards into an index's folder."""

    def encode(
        self, folder: Path, manifest: Manifest, places: Sequence[ShardPlace], report: Callable[[int], None]
    ) -> None:
        """Write the shards of `places` below `folder`, each whole or not at all, in any order.

        The folder holds the tokens and the unfinished `manifest`; `report` is told of tokens as they are
        encoded, on the thread of the call.

        Raises:
            ProbeError: an activation is infinite or not a number.
            StorageError: the folder cannot be written.
        """
        ...


class InOrder:
    """Encodes in this process, one shard after the other."""

    def __init__(self, subject: ReadableSubject, dictionary: Dictionary) -> None:
        self._subject, self._dictionary = subject, dictionary

    def encode(
        self, folder: Path, manifest: Manifest, places: Sequence[ShardPlace], report: Callable[[int], None]
    ) -> None:
        """As `ShardEncoder.encode`."""
        tokens: dict[Split, SplitTokens] = {}
        for place in places:
            if place.split not in tokens:
                tokens[place.split] = SplitTokens(folder, place.split, self._subject.vocabulary)
            found = encode_shard(
                self._subject, self._dictionary, tokens[place.split], place,
                manifest.layout.batch_tokens, report,
            )  # fmt: skip
            write_shard(folder, place, found)
