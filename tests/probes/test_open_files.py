"""An index of more shards than files may be open says so, and takes none of them for broken."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.errors import StorageError
from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.activation_index import encoding as encoding_module
from glossator.records import Split
from tests.probes.index_fixtures import ReluDictionary, WordSubject, word_documents


@pytest.fixture
def few_files() -> Iterator[None]:
    """At most 8 files more than are open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 8, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ActivationIndex:
    monkeypatch.setattr(encoding_module, "SHARD_PAIRS", 1000)
    return build_index(tmp_path / "index", WordSubject(), ReluDictionary(), word_documents(), batch_tokens=64)


def test_too_many_shards_are_named_as_such(index: ActivationIndex, request: pytest.FixtureRequest) -> None:
    assert len(index.manifest.splits[Split.EXPLORE].shards) > 12
    _ = index.vocabulary
    request.getfixturevalue("few_files")
    with pytest.raises(StorageError, match=r"too many files are open.*ulimit -n"):
        _ = index.explore
