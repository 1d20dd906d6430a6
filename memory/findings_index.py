"""Findings by meaning: the labels of the ledger in Chroma, under embeddings that we make ourselves.

Derived and never the only copy: `sync` brings it up to the ledger, and it is begun anew where the
folder is damaged or another embedder made it. Telemetry is off and no embedding function is given to
Chroma, so nothing is ever sent or downloaded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError
from jaxtyping import Float

from glossator.errors import CorruptFileError, StorageError
from glossator.memory.findings_folder import LOCK_SECONDS, FindingsFolder
from glossator.memory.ledger import Ledger, StoredCard
from glossator.records import FeatureCard, FeatureRef, ScoreMethod, VerdictKind

_COLLECTION = "glossator-findings-1"
_BATCH = 256
Item = TypeVar("Item")


@runtime_checkable
class TextEmbedder(Protocol):
    """What turns a label or a question into a point."""

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """One row per text; rows of similar meaning point in similar directions."""
        ...

    def fingerprint(self) -> str:
        """What changes whenever the embeddings do."""
        ...


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


class SyncReport(NamedTuple):
    """What `sync` changed."""

    added: int
    removed: int
    begun_anew: str | None
    """Why everything was added again; None where it was not."""


class FindingsIndex:
    """The findings index. Use as a context manager, or call `close`."""

    def __init__(
        self, client: Any, embedder: TextEmbedder, where: str, folder: FindingsFolder | None
    ) -> None:
        self._client, self._embedder, self._where, self._folder = client, embedder, where, folder
        self._begun_anew = folder.damage if folder else None
        self._sound = True
        try:
            self._collection = self._open_collection()
        except BaseException:
            self._sound = False
            self.close()
            raise

    @classmethod
    def open(cls, folder: Path, embedder: TextEmbedder, lock_seconds: float = LOCK_SECONDS) -> FindingsIndex:
        """The embedded index in `folder`, made where missing, begun anew where damaged.

        Raises:
            BusyError: Another process has it open.
            StorageError: The folder cannot be written.

        """
        guarded = FindingsFolder(folder, lock_seconds)
        settings = ChromaSettings(anonymized_telemetry=False)
        try:
            with _chroma_errors(str(folder)):
                client = chromadb.PersistentClient(path=guarded.database, settings=settings)
        except BaseException:
            guarded.close(sound=False)
            raise
        return cls(client, embedder, str(folder), guarded)

    @classmethod
    def connect(cls, url: str, embedder: TextEmbedder) -> FindingsIndex:
        """The index on the Chroma server at `url`; raises `StorageError` if it does not answer."""
        return cls(_server(url), embedder, url, None)

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
        with _chroma_errors(self._where):
            return int(self._collection.count())

    def sync(self, ledger: Ledger) -> SyncReport:
        """Hold exactly the labels that are current in `ledger`."""
        wanted, held = ledger.labelled_ids(), self._held()
        stale = sorted(held - wanted)
        if stale:
            self._changing()
        for ids in _batches(stale):
            with _chroma_errors(self._where):
                self._collection.delete(ids=ids)
        added = self.add(ledger.cards_by_id(wanted - held))
        reason, self._begun_anew = self._begun_anew, None
        return SyncReport(added, len(stale), reason)

    def rebuild(self, ledger: Ledger) -> int:
        """Begin anew and add every label of `ledger`; returns how many."""
        self._changing()
        with _chroma_errors(self._where):
            self._client.delete_collection(_COLLECTION)
        self._collection = self._open_collection()
        return self.sync(ledger).added

    def add(self, cards: Iterable[StoredCard]) -> int:
        """Add the labels of `cards` that stand; returns how many were added."""
        count = 0
        for batch in _batches(c for c in cards if _is_label(c.card)):
            self._changing()
            texts = [_label(c) for c in batch]
            points = np.asarray(self._embedder.embed(texts), dtype=np.float32)
            with _chroma_errors(self._where):
                self._collection.upsert(
                    ids=[c.id for c in batch],
                    embeddings=points,
                    documents=texts,
                    metadatas=[_metadata(c) for c in batch],
                )
            count += len(batch)
        return count

    def search(self, text: str, k: int = 10, where: Mapping[str, str | int] | None = None) -> list[Finding]:
        """The `k` labels nearest in meaning to `text`, nearest first.

        Args:
            text: What to look for.
            k: At most how many.
            where: Values that `subject`, `dictionary`, `index`, `verdict` or `author` must have.

        """
        held = len(self)
        if held == 0 or k < 1:
            return []
        conditions = [{key: value} for key, value in (where or {}).items()]
        chosen = {"$and": conditions} if len(conditions) > 1 else next(iter(conditions), None)
        point = np.asarray(self._embedder.embed([text]), dtype=np.float32)
        with _chroma_errors(self._where):
            answer = self._collection.query(query_embeddings=point, n_results=min(k, held), where=chosen)
        rows = zip(
            answer["ids"][0],
            answer["documents"][0],
            answer["metadatas"][0],
            answer["distances"][0],
            strict=True,
        )
        return [_finding(*row) for row in rows]

    def _open_collection(self) -> Any:
        maker = self._embedder.fingerprint()
        with _chroma_errors(self._where):
            try:
                collection = self._client.get_collection(_COLLECTION, embedding_function=None)
                if (collection.metadata or {}).get("embedder") == maker:
                    return collection
                self._begun_anew = "it was made with another sentence embedder"
                self._changing()
                self._client.delete_collection(_COLLECTION)
            except NotFoundError:
                self._changing()
            return self._client.create_collection(
                _COLLECTION,
                embedding_function=None,
                metadata={"embedder": maker},
                configuration={"hnsw": {"space": "cosine"}},
            )

    def _changing(self) -> None:
        if self._folder is not None:
            self._folder.unseal()

    def _held(self) -> frozenset[str]:
        with _chroma_errors(self._where):
            return frozenset(cast("list[str]", self._collection.get(include=[])["ids"]))


def server_answers(url: str) -> None:
    """Ask the Chroma server at `url` for a sign of life; raises `StorageError` if there is none."""
    client = _server(url)
    with _chroma_errors(url):
        client.heartbeat()
    client.close()


def _server(url: str) -> Any:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    with _chroma_errors(url):
        return chromadb.HttpClient(
            host=parts.hostname or "",
            port=parts.port or (443 if secure else 80),
            ssl=secure,
            settings=ChromaSettings(anonymized_telemetry=False),
        )


@contextmanager
def _chroma_errors(where: str) -> Generator[None]:
    try:
        yield
    except (ValueError, httpx.HTTPError, ConnectionError) as error:
        raise StorageError(
            f"the findings index {where!r} does not answer: {error}; start the server with `chroma run`, "
            "or leave chroma_url away"
        ) from error
    except OSError as error:
        raise StorageError(f"the findings index {where!r} cannot be used: {error}") from error
    except NotFoundError:
        raise
    except ChromaError as error:
        raise CorruptFileError(
            f"the findings index {where!r} cannot be used: {error}; make it again: glossator memory rebuild"
        ) from error


def _batches(items: Iterable[Item]) -> Generator[list[Item]]:
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch


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


def _finding(card: str, text: str, kept: Mapping[str, Any], distance: float) -> Finding:
    feature = FeatureRef(subject=kept["subject"], dictionary=kept["dictionary"], index=kept["index"])
    detection = kept.get("detection")
    verdict, author = VerdictKind(kept["verdict"]), str(kept["author"])
    return Finding(feature, text, verdict, 1.0 - float(distance), detection, author, card)
