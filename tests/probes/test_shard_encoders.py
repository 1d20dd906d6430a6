from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from glossator.errors import CorruptFileError
from glossator.probes.activation_index import build_index, encoding
from glossator.probes.activation_index.manifest import Manifest
from glossator.probes.activation_index.shard import ShardPlace
from glossator.probes.activation_index.shard_encoders import InOrder, ShardEncoder
from tests.probes.index_fixtures import ReluDictionary, WordSubject, word_documents


class Backwards:
    """Encodes the last shard first, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(
        self, folder: Path, manifest: Manifest, places: Sequence[ShardPlace], report: Callable[[int], None]
    ) -> None:
        for place in reversed(places):
            self.asked.append(place.name)
            InOrder(WordSubject(), ReluDictionary()).encode(folder, manifest, [place], report)


class Idle:
    """Says that it has encoded, and has not."""

    def encode(
        self, folder: Path, manifest: Manifest, places: Sequence[ShardPlace], report: Callable[[int], None]
    ) -> None:
        report(sum(place.positions for place in places))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "SHARD_PAIRS", 3000)


def build(folder: Path, encoder: ShardEncoder | None = None) -> None:
    build_index(
        folder,
        WordSubject(),
        ReluDictionary(),
        word_documents(),
        context=64,
        batch_tokens=256,
        encoder=encoder,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_who_encodes_and_in_which_order_changes_no_byte(tmp_path: Path) -> None:
    build(tmp_path / "here")
    backwards = Backwards()
    build(tmp_path / "there", backwards)
    assert len(backwards.asked) > 4
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    build(tmp_path)
    expected = files(tmp_path)
    broken = sorted((tmp_path / "shards").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:-1])
    backwards = Backwards()
    build(tmp_path, backwards)
    assert backwards.asked == [f"shards/{broken.name}"]
    assert files(tmp_path) == expected


def test_a_shard_that_was_not_written_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="missing"):
        build(tmp_path, Idle())
    build(tmp_path)  # and the next build repairs it
