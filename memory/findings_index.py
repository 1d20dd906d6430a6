"""Findings by meaning: the ledger's labels, and what investigations learnt, in Chroma.

Two collections, under embeddings that we make ourselves. Derived and never the only copy: `sync` brings
them up to the ledger, and they are begun anew where the folder is damaged or another embedder made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from glossator.errors import without_credentials
from glossator.memory.embedded_texts import (
    EmbeddedTexts,
    FoundText,
    KeptText,
    TextEmbedder,
    chroma_errors,
    folder_client,
    server_client,
)
from glossator.memory.finding_store import FindingStore
from glossator.memory.findings_folder import LOCK_SECONDS, FindingsFolder
from glossator.memory.ledger import Ledger, StoredCard
from glossator.records import FeatureCard, FeatureNames, FeatureRef, FindingKind, ScoreMethod, VerdictKind
from glossator.records import Finding as LedgerFinding

__all__ = ["Finding", "FindingsIndex", "LearntFinding", "SyncReport", "TextEmbedder", "server_answers"]

_LABELS = "glossator-findings-1"
_LEARNT = "glossator-learnt-1"


class Finding(NamedTuple):
    """A label that was found."""

    feature: FeatureRef
    text: str
    verdict: VerdictKind
    similarity: float
    """Cosine between the question and the label, -1 to 1."""
    detection: float | None
    """The lowest sealed detection score; None where there is none."""
    author: str
    card: str
    """Id of the card in the ledger."""


class LearntFinding(NamedTuple):
    """A finding of an investigation that was found by its meaning."""

    id: str
    """Of the `Finding` in the ledger."""
    text: str
    kind: FindingKind
    similarity: float
    """Cosine between the question and the finding, -1 to 1."""


class SyncReport(NamedTuple):
    """What `sync` changed of the labels."""

    added: int
    removed: int
    begun_anew: str | None
    """Why everything was added again; None where it was not."""


class FindingsIndex:
    """The findings index. Use as a context manager, or call `close`."""

    def __init__(
        self, client: Any, embedder: TextEmbedder, where: str, folder: FindingsFolder | None
    ) -> None:
        self._client, self._folder = client, folder
        self._begun_anew = folder.damage if folder else None
        self._sound = True
        try:
            self._labels = EmbeddedTexts(client, _LABELS, embedder, where, self._changing)
            self._learnt = EmbeddedTexts(client, _LEARNT, embedder, where, self._changing)
        except BaseException:
            self._sound = False
            self.close()
            raise
        self._begun_anew = self._labels.begun_anew or self._begun_anew

    @classmethod
    def open(cls, folder: Path, embedder: TextEmbedder, lock_seconds: float = LOCK_SECONDS) -> FindingsIndex:
        """The embedded index in `folder`, made where missing, begun anew where damaged.

        Raises:
            BusyError: Another process has it open.
            StorageError: The folder cannot be written.

        """
        guarded = FindingsFolder(folder, lock_seconds)
        try:
            client = folder_client(str(guarded.database), str(folder))
        except BaseException:
            guarded.close(sound=False)
            raise
        return cls(client, embedder, str(folder), guarded)

    @classmethod
    def connect(cls, url: str, embedder: TextEmbedder) -> FindingsIndex:
        """The index on the Chroma server at `url`; raises `StorageError` if it does not answer."""
        return cls(server_client(url), embedder, without_credentials(url), None)

    def close(self) -> None:
        """Seal the index and let other processes in."""
        self._client.close()
        if self._folder is not None:
            self._folder.close(sound=self._sound)

    def __enter__(self) -> FindingsIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """How many labels are held."""
        return len(self._labels)

    @property
    def n_learnt(self) -> int:
        """How many findings of investigations are held."""
        return len(self._learnt)

    def sync(self, ledger: Ledger) -> SyncReport:
        """Hold exactly the labels that are current in `ledger`, and every finding."""
        wanted, held = ledger.labelled_ids(), self._labels.ids()
        stale = sorted(held - wanted)
        self._labels.remove(stale)
        added = self.add(ledger.cards_by_id(wanted - held))
        self.sync_learnt(ledger)
        reason, self._begun_anew = self._begun_anew, None
        return SyncReport(added, len(stale), reason)

    def sync_learnt(self, ledger: Ledger) -> int:
        """Hold exactly the findings of `ledger`; returns how many were added."""
        store = FindingStore(ledger)
        wanted, held = store.ids(), self._learnt.ids()
        self._learnt.remove(sorted(held - wanted))
        return self._learnt.hold(_kept_finding(f) for f in store.by_id(sorted(wanted - held)).values())

    def rebuild(self, ledger: Ledger) -> int:
        """Begin anew and add every label and finding of `ledger`; returns how many labels."""
        self._labels.begin_anew()
        self._learnt.begin_anew()
        return self.sync(ledger).added

    def add(self, cards: Iterable[StoredCard]) -> int:
        """Add the labels of `cards` that stand; returns how many were added."""
        return self._labels.hold(KeptText(c.id, _label(c), _metadata(c)) for c in cards if _is_label(c.card))

    def search(self, text: str, k: int = 10, where: Mapping[str, str | int] | None = None) -> list[Finding]:
        """The `k` labels nearest in meaning to `text`, nearest first.

        Args:
            text: What to look for.
            k: At most how many.
            where: Values that `subject`, `dictionary`, `index`, `verdict` or `author` must have.

        """
        conditions = [{key: value} for key, value in (where or {}).items()]
        return [_finding(found) for found in self._labels.nearest(text, k, conditions)]

    def search_learnt(
        self, text: str, names: FeatureNames, k: int = 10, kinds: Sequence[FindingKind] = ()
    ) -> list[LearntFinding]:
        """The `k` findings nearest in meaning to `text`, nearest first.

        Args:
            text: What to look for.
            names: Whose findings; those of another subject or dictionary are never returned.
            k: At most how many.
            kinds: Only of these kinds; all where empty.

        """
        conditions: list[dict[str, Any]] = [{"subject": names.subject}, {"dictionary": names.dictionary}]
        if kinds:
            conditions.append({"kind": {"$in": [kind.value for kind in kinds]}})
        found = self._learnt.nearest(text, k, conditions)
        return [LearntFinding(f.id, f.text, FindingKind(f.kept["kind"]), f.similarity) for f in found]

    def _changing(self) -> None:
        if self._folder is not None:
            self._folder.unseal()


def server_answers(url: str) -> None:
    """Ask the Chroma server at `url` for a sign of life; raises `StorageError` if there is none."""
    client = server_client(url)
    with chroma_errors(without_credentials(url)):
        client.heartbeat()
    client.close()


def _is_label(card: FeatureCard) -> bool:
    """A rejected hypothesis is in the ledger, but is no answer to "which features mean this?"."""
    return card.explanation is not None and card.verdict.kind is not VerdictKind.ABSTAINED


def _label(stored: StoredCard) -> str:
    return stored.card.explanation.text if stored.card.explanation else ""


def _metadata(stored: StoredCard) -> dict[str, str | int | float]:
    card = stored.card
    detections = [s.value for s in card.scores if s.method is ScoreMethod.DETECTION and s.value is not None]
    kept: dict[str, str | int | float] = {
        "subject": card.feature.subject,
        "dictionary": card.feature.dictionary,
        "index": card.feature.index,
        "verdict": card.verdict.kind.value,
        "author": card.explanation.author if card.explanation else "",
    }
    return kept | ({"detection": min(detections)} if detections else {})


def _kept_finding(finding: LedgerFinding) -> KeptText:
    kept = {
        "subject": finding.subject,
        "dictionary": finding.dictionary,
        "kind": finding.kind.value,
        "verdict": finding.verdict,
    }
    return KeptText(finding.id, finding.text, kept)


def _finding(found: FoundText) -> Finding:
    kept = found.kept
    feature = FeatureRef(subject=kept["subject"], dictionary=kept["dictionary"], index=kept["index"])
    verdict, author = VerdictKind(kept["verdict"]), str(kept["author"])
    return Finding(feature, found.text, verdict, found.similarity, kept.get("detection"), author, found.id)
