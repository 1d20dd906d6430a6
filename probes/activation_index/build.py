"""Builds an activation index, or goes on with one, or repairs what is broken in it.

Order of work: a survey of the corpus, which gives the identity; the token store; the shards of
explore, validate and sealed; the statistics; the complete manifest. Each file appears whole or not at
all, and each step is skipped where its files are intact, so a build that was killed at any moment goes
on where it stopped and ends with the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from glossator.errors import CorruptFileError, SettingsError
from glossator.probes.activation_index.build_lock import building_in
from glossator.probes.activation_index.encoding import shard_positions, site_dtype
from glossator.probes.activation_index.identity import IndexIdentity
from glossator.probes.activation_index.manifest import (
    Layout,
    Manifest,
    StoredFile,
    StoredSplit,
    read_manifest,
)
from glossator.probes.activation_index.progress import NEXT_STEP, BuildProgress
from glossator.probes.activation_index.reader import ActivationIndex
from glossator.probes.activation_index.shard import Shard, ShardPlace
from glossator.probes.activation_index.shard_encoders import InOrder, ShardEncoder
from glossator.probes.activation_index.shard_plan import plan_shards
from glossator.probes.activation_index.statistics import STATISTICS, gather, write_statistics
from glossator.probes.activation_index.stored_vocabulary import VOCABULARY, write_vocabulary
from glossator.probes.atomic_file import PARTIAL, unwritable
from glossator.probes.corpus_document import Document
from glossator.probes.corpus_survey import Survey, survey
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_store import SplitTokens, file_names
from glossator.probes.token_store_writer import write_token_store
from glossator.records import Split

Report = Callable[[BuildProgress], None]


def build_index(
    path: Path,
    subject: ReadableSubject,
    dictionary: Dictionary,
    documents: Iterable[Document],
    *,
    tokens: int | None = None,
    context: int = 256,
    batch_tokens: int = 2048,
    shard_blocks: int | None = None,
    progress: Report | None = None,
    encoder: ShardEncoder | None = None,
) -> ActivationIndex:
    """Build the index of `dictionary` over `documents` in the folder `path`, or finish or repair it.

    Args:
        path: the folder, made if it is not there.
        subject: whose activations are read.
        dictionary: what turns them into features.
        documents: the corpus, such as a `Corpus` or a list; it is gone through several times.
        tokens: take about so many tokens, mixed over the corpus; None for all.
        context: the most tokens in a row.
        batch_tokens: tokens of one forward pass.
        shard_blocks: size of a shard in blocks of 65,536 positions; None to choose.
        progress: called after every batch.
        encoder: who encodes the shards; by default this process.

    Raises:
        CorpusError: the corpus is empty, malformed or too small.
        SettingsError: a number is out of range.
        ShapeMismatchError: dictionary and site differ in width.
        IndexMismatchError: the folder holds an index of something else; says what differs.
        BusyError: another process is building in this folder.
        StorageError: the folder cannot be written; what was stored stays valid.
    """
    path = Path(path)
    _check_settings(subject, documents, tokens, context, batch_tokens)
    surveyed = survey(documents, tokens)
    identity = identity_of(subject, dictionary, surveyed, context)
    if _is_whole(path, identity):
        return ActivationIndex.open(path, identity)
    try:
        (path / "shards").mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unwritable(path, exc) from exc
    with building_in(path):
        build = _Build(path, subject, dictionary, progress or (lambda _: None), encoder)
        build.run(documents, surveyed, identity, batch_tokens, shard_blocks)
    return ActivationIndex.open(path, identity)


def identity_of(
    subject: ReadableSubject, dictionary: Dictionary, surveyed: Survey, context: int
) -> IndexIdentity:
    """What an index of these would be."""
    return IndexIdentity(
        subject=subject.fingerprint(),
        vocabulary=subject.vocabulary.fingerprint,
        dictionary=dictionary.fingerprint(),
        corpus=surveyed.fingerprint,
        site=str(dictionary.site),
        dtype=site_dtype(subject, dictionary),
        context=context,
        tokens=surveyed.tokens,
    )


def _check_settings(
    subject: ReadableSubject,
    documents: Iterable[Document],
    tokens: int | None,
    context: int,
    batch_tokens: int,
) -> None:
    longest = subject.context_length - len(subject.row_prefix)
    if not 2 <= context <= longest:
        raise SettingsError(
            f"context={context!r} is out of range: {subject.name!r} takes 2 to {longest} tokens a row"
        )
    if batch_tokens < 1 or (tokens is not None and tokens < 1):
        raise SettingsError(f"batch_tokens={batch_tokens!r} and tokens={tokens!r} must be at least 1")
    if iter(documents) is documents:
        raise SettingsError("documents is a generator, which can be read only once: pass a list or a Corpus")


def _found(folder: Path, identity: IndexIdentity) -> Manifest | None:
    """The folder's manifest if it is readable; raises `IndexMismatchError` if it is another's."""
    try:
        found = read_manifest(folder)
    except CorruptFileError:
        return None
    if found is not None:
        found.identity.require(identity, folder)
    return found


def _is_whole(folder: Path, identity: IndexIdentity) -> bool:
    """Whether the folder holds the complete index of `identity`, every byte of it."""
    found = _found(folder, identity)
    return found is not None and found.complete and all(file.is_intact(folder) for file in found.files)


class _Build:
    """One run of a build, under the folder's lock."""

    def __init__(
        self,
        folder: Path,
        subject: ReadableSubject,
        dictionary: Dictionary,
        report: Report,
        encoder: ShardEncoder | None,
    ) -> None:
        self._folder, self._subject, self._dictionary, self._report = folder, subject, dictionary, report
        self._encoder = encoder or InOrder(subject, dictionary)

    def run(
        self,
        documents: Iterable[Document],
        surveyed: Survey,
        identity: IndexIdentity,
        batch_tokens: int,
        shard_blocks: int | None,
    ) -> None:
        """Bring the folder to a complete index of `identity`."""
        if _is_whole(self._folder, identity):
            return  # another process finished it meanwhile
        found = _found(self._folder, identity)
        self._clear_partial_files()
        splits = self._stored_tokens(found, documents, surveyed, identity.context)
        manifest = Manifest(
            identity=identity,
            layout=found.layout if found is not None else self._layout(batch_tokens, shard_blocks),
            subject=self._subject.name,
            dictionary=self._dictionary.name,
            n_features=self._dictionary.n_features,
            vocabulary=self._stored_vocabulary(found),
            splits=splits,
        )
        manifest.write(self._folder)
        manifest = manifest.model_copy(update={"splits": self._stored_shards(manifest)})
        self._sum_up(manifest)
        self._complete(manifest)

    def _clear_partial_files(self) -> None:
        for partial in self._folder.rglob(f"*{PARTIAL}"):
            try:
                partial.unlink()
            except OSError as exc:
                raise unwritable(partial, exc) from exc

    def _stored_tokens(
        self, found: Manifest | None, documents: Iterable[Document], surveyed: Survey, context: int
    ) -> dict[Split, StoredSplit]:
        if found is not None and found.splits:
            files = [file for split in found.splits.values() for file in split.files]
            if all(file.is_intact(self._folder) for file in files):
                return {
                    split: stored.model_copy(update={"shards": (), "pairs": 0})
                    for split, stored in found.splits.items()
                }
        began, total = time.monotonic(), len(surveyed.characters)

        def report(done: int) -> None:
            self._report(BuildProgress("reading", done, total, done / max(time.monotonic() - began, 1e-9)))

        sizes = write_token_store(self._folder, documents, surveyed, self._subject, context, report)
        return {
            split: StoredSplit(
                documents=size.documents,
                rows=size.rows,
                tokens=size.tokens,
                files=tuple(StoredFile.of(self._folder, name) for name in file_names(split)),
            )
            for split, size in sizes.items()
        }

    def _stored_vocabulary(self, found: Manifest | None) -> StoredFile:
        if found is not None and found.vocabulary is not None and found.vocabulary.is_intact(self._folder):
            return found.vocabulary
        write_vocabulary(self._folder, self._subject.vocabulary)
        return StoredFile.of(self._folder, VOCABULARY)

    def _layout(self, batch_tokens: int, shard_blocks: int | None) -> Layout:
        if shard_blocks is not None:
            return Layout(batch_tokens=batch_tokens, shard_positions=shard_blocks * 2**16)
        explore = self._tokens(Split.EXPLORE)
        positions = shard_positions(self._subject, self._dictionary, explore, batch_tokens)
        return Layout(batch_tokens=batch_tokens, shard_positions=positions)

    def _tokens(self, split: Split) -> SplitTokens:
        return SplitTokens(self._folder, split, self._subject.vocabulary)

    def _stored_shards(self, manifest: Manifest) -> dict[Split, StoredSplit]:
        """Have every shard encoded that is missing or broken."""
        places = [
            place for split in Split for place in plan_shards(manifest, split, self._tokens(split).row_start)
        ]
        pairs = {place: len(shard.position) for place in places if (shard := self._intact(place)) is not None}
        missing = [place for place in places if place not in pairs]
        if missing:
            self._encode(manifest, missing, sum(place.positions for place in pairs))
        for place in missing:
            pairs[place] = len(self._made(place).position)
        return {
            split: manifest.splits[split].model_copy(
                update={
                    "shards": tuple(StoredFile.of(self._folder, p.name) for p in places if p.split is split),
                    "pairs": sum(pairs[place] for place in places if place.split is split),
                }
            )
            for split in Split
        }

    def _encode(self, manifest: Manifest, places: Sequence[ShardPlace], done: int) -> None:
        total = sum(split.tokens for split in manifest.splits.values())
        fresh = 0
        began = time.monotonic()

        def report(tokens: int) -> None:
            nonlocal fresh
            fresh += tokens
            rate = fresh / max(time.monotonic() - began, 1e-9)
            self._report(BuildProgress("encoding", done + fresh, total, rate))

        self._encoder.encode(self._folder, manifest, places, report)

    def _made(self, place: ShardPlace) -> Shard:
        """The shard of `place`, which was just encoded, by whoever that was."""
        shard = Shard.open(self._folder / place.name)
        if shard.header.place != place:
            raise CorruptFileError(
                f"{str(shard.path)!r} holds other rows than were asked for: whoever encoded it reads other "
                f"tokens; {NEXT_STEP} again"
            )
        return shard

    def _intact(self, place: ShardPlace) -> Shard | None:
        """The shard of `place` if it is stored and whole."""
        try:
            shard = Shard.open(self._folder / place.name)
        except CorruptFileError:
            return None
        return shard if shard.header.place == place and shard.is_intact() else None

    def _sum_up(self, manifest: Manifest) -> None:
        explore, validate = (
            [Shard.open(self._folder / file.name) for file in manifest.splits[split].shards]
            for split in (Split.EXPLORE, Split.VALIDATE)
        )
        self._report(BuildProgress("summing", 0, len(explore), 0.0))
        eligible = self._eligible_tokens(self._tokens(Split.EXPLORE))
        write_statistics(self._folder, gather(explore, validate, manifest.n_features, eligible))

    def _eligible_tokens(self, tokens: SplitTokens) -> int:
        """As `TokenText.eligible` counts, piece by piece."""
        special = self._subject.vocabulary.special
        pieces = range(0, len(tokens.ids), 2**20)
        ordinary = sum(int((~special[tokens.ids[at : at + 2**20]]).sum()) for at in pieces)
        return ordinary - int((~special[tokens.ids[tokens.row_start[:-1]]]).sum())

    def _complete(self, manifest: Manifest) -> None:
        """Write the complete manifest, then remove files that do not belong to it."""
        manifest = manifest.model_copy(update={"statistics": StoredFile.of(self._folder, STATISTICS)})
        manifest.write(self._folder)
        kept = {self._folder / file.name for file in manifest.files}
        for path in sorted((self._folder / "shards").iterdir()):
            if path not in kept:
                path.unlink(missing_ok=True)
