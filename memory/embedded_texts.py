"""One collection of Chroma: texts under embeddings that we make ourselves, with values to filter by.

No embedding function is given to Chroma and its telemetry is off, so nothing is ever sent or downloaded.
What Chroma and its client raise is translated into Glossator's errors, naming the index.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError
from jaxtyping import Float

from glossator.errors import CorruptFileError, StorageError, without_credentials

_BATCH = 256
Item = TypeVar("Item")
Kept = Mapping[str, str | int | float]
"""Values beside a text."""


@runtime_checkable
class TextEmbedder(Protocol):
    """What turns a label or a question into a point."""

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """One row per text; rows of similar meaning point in similar directions."""
        ...

    def fingerprint(self) -> str:
        """What changes whenever the embeddings do."""
        ...


class KeptText(NamedTuple):
    """A text to be held."""

    id: str
    text: str
    kept: Kept


class FoundText(NamedTuple):
    """A text that was found."""

    id: str
    text: str
    kept: Mapping[str, Any]
    similarity: float
    """Cosine between the question and the text, -1 to 1."""


class EmbeddedTexts:
    """One collection; begun anew where another embedder made it."""

    def __init__(
        self, client: Any, name: str, embedder: TextEmbedder, where: str, changing: Callable[[], None]
    ) -> None:
        """The collection `name` of `client`, made where missing.

        Args:
            client: of Chroma.
            name: of the collection.
            embedder: makes its points.
            where: what messages call the index.
            changing: told before anything is changed.
        """
        self._client, self._name, self._embedder = client, name, embedder
        self._where, self._changing = where, changing
        self.begun_anew: str | None = None
        """Why it is empty although it was not; None where nothing was thrown away."""
        self._collection = self._opened()

    def __len__(self) -> int:
        with chroma_errors(self._where):
            return int(self._collection.count())

    def ids(self) -> frozenset[str]:
        """Ids of all texts held."""
        with chroma_errors(self._where):
            return frozenset(cast("list[str]", self._collection.get(include=[])["ids"]))

    def remove(self, ids: Iterable[str]) -> None:
        """Let go of the texts with these ids."""
        for batch in batches(ids):
            self._changing()
            with chroma_errors(self._where):
                self._collection.delete(ids=batch)

    def hold(self, texts: Iterable[KeptText]) -> int:
        """Add `texts`, or put them in the place of those with the same ids; returns how many."""
        count = 0
        for batch in batches(texts):
            self._changing()
            points = np.asarray(self._embedder.embed([t.text for t in batch]), dtype=np.float32)
            with chroma_errors(self._where):
                self._collection.upsert(
                    ids=[t.id for t in batch],
                    embeddings=points,
                    documents=[t.text for t in batch],
                    metadatas=[dict(t.kept) for t in batch],
                )
            count += len(batch)
        return count

    def nearest(self, text: str, k: int, where: Sequence[Mapping[str, Any]] = ()) -> list[FoundText]:
        """The `k` texts nearest in meaning, nearest first, of those that meet every condition in `where`."""
        held = len(self)
        if held == 0 or k < 1:
            return []
        chosen = {"$and": [*where]} if len(where) > 1 else next(iter(where), None)
        point = np.asarray(self._embedder.embed([text]), dtype=np.float32)
        with chroma_errors(self._where):
            answer = self._collection.query(query_embeddings=point, n_results=min(k, held), where=chosen)
        columns = (answer[name][0] for name in ("ids", "documents", "metadatas", "distances"))
        return [FoundText(i, t, kept, 1.0 - float(d)) for i, t, kept, d in zip(*columns, strict=True)]

    def begin_anew(self) -> None:
        """Throw everything away."""
        self._changing()
        with chroma_errors(self._where):
            self._client.delete_collection(self._name)
        self._collection = self._opened()

    def _opened(self) -> Any:
        maker = self._embedder.fingerprint()
        with chroma_errors(self._where):
            try:
                collection = self._client.get_collection(self._name, embedding_function=None)
                if (collection.metadata or {}).get("embedder") == maker:
                    return collection
                self.begun_anew = "it was made with another sentence embedder"
                self._changing()
                self._client.delete_collection(self._name)
            except NotFoundError:
                self._changing()
            return self._client.create_collection(
                self._name,
                embedding_function=None,
                metadata={"embedder": maker},
                configuration={"hnsw": {"space": "cosine"}},
            )


def server_client(url: str) -> Any:
    """A client of the Chroma server at `url`; raises `StorageError` if it does not answer."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    with chroma_errors(without_credentials(url)):
        return chromadb.HttpClient(
            host=parts.hostname or "",
            port=parts.port or (443 if secure else 80),
            ssl=secure,
            settings=ChromaSettings(anonymized_telemetry=False),
        )


def folder_client(folder: str, where: str) -> Any:
    """A client of the embedded database in `folder`."""
    with chroma_errors(where):
        return chromadb.PersistentClient(path=folder, settings=ChromaSettings(anonymized_telemetry=False))


@contextmanager
def chroma_errors(where: str) -> Generator[None]:
    """Translate what Chroma and its client raise, naming the index `where`."""
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


def batches(items: Iterable[Item]) -> Generator[list[Item]]:
    """`items` in lists of at most 256."""
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch
