from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from jaxtyping import Float, Int

from glossator.errors import BusyError, CorruptFileError, StorageError
from glossator.probes import atomic_file
from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.activation_index import encoding as encoding_module
from glossator.probes.activation_index.build_lock import LOCK, building_in
from glossator.probes.corpus import Document
from glossator.records import SiteRef
from tests.probes.index_fixtures import ReluDictionary, WordSubject, word_documents

ROOT = Path(__file__).resolve().parents[2]


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def killed_builds(folder: Path, mode: str, seed: int = 0) -> int:
    command = [sys.executable, "-m", "tests.probes.killed_build", str(folder), mode, str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=250)
    return int(done.stdout)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding_module, "SHARD_PAIRS", 3000)


def build(folder: Path, subject: WordSubject | None = None) -> ActivationIndex:
    subject, documents = subject or WordSubject(), word_documents(count=40, longest=200)
    return build_index(folder, subject, ReluDictionary(), documents, context=64, batch_tokens=256)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index in several shards; tests copy it."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding_module, "SHARD_PAIRS", 3000)
        build(folder)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert killed_builds(folder, "never") == 0
    return content(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "seed"), [("random", 0), ("random", 1), ("file", 0)])
def test_killed_and_resumed_builds_give_the_same_bytes(
    tmp_path: Path, uninterrupted: dict[str, bytes], mode: str, seed: int
) -> None:
    assert killed_builds(tmp_path, mode, seed) >= 3
    assert content(tmp_path) == uninterrupted
    assert sum(name.startswith("shards/explore") for name in uninterrupted) > 5


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "statistics.safetensors",
        "vocabulary.json.zlib",
        "explore.ids",
        "validate.rows",
        "sealed.documents.jsonl",
        "shards/explore-00001.safetensors",
    ],
)
def test_damage_is_noticed_and_building_again_repairs_just_that(
    tmp_path: Path, whole: Path, name: str, damage: str
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    path = tmp_path / name
    raw = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        raw[len(raw) // 2] ^= 0x55
        path.write_bytes(raw if damage == "flip" else raw[: len(raw) // 2])
    if damage == "cut" or (name != "manifest.json" and damage == "gone"):
        with pytest.raises(CorruptFileError, match=r"index build.* again") as caught:
            ActivationIndex.open(tmp_path)
        assert path.name in str(caught.value)
    elif name != "manifest.json":
        with pytest.raises(CorruptFileError, match=r"again"):
            ActivationIndex.open(tmp_path).verify()
    subject = WordSubject()
    build(tmp_path, subject)
    assert content(tmp_path) == content(whole)
    batches_of_a_shard = 12
    assert subject.calls <= batches_of_a_shard


@pytest.mark.usefixtures("small_shards")
def test_a_full_disk_is_a_storage_error_and_the_build_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal count
        count += 1
        if count > 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(atomic_file.os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left on device; make room"):
        build(tmp_path / "full")
    monkeypatch.setattr(atomic_file.os, "fsync", real)
    assert not list((tmp_path / "full").rglob("*.tmp"))
    stored = len(list((tmp_path / "full" / "shards").iterdir()))
    assert stored > 0
    subject = WordSubject()
    build(tmp_path / "full", subject)
    fresh = WordSubject()
    build(tmp_path / "fresh", fresh)
    assert content(tmp_path / "full") == content(tmp_path / "fresh")
    assert subject.calls < fresh.calls


def test_a_folder_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot write"):
        build(tmp_path / "file" / "index")
    build(tmp_path / "index")
    whole = content(tmp_path / "index")

    def read_only(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    monkeypatch.setattr(Path, "replace", read_only)
    build(tmp_path / "index")  # complete: nothing has to be written
    (tmp_path / "index" / "statistics.safetensors").unlink()
    with pytest.raises(StorageError, match="Read-only"):
        build(tmp_path / "index")
    monkeypatch.undo()
    build(tmp_path / "index")
    assert content(tmp_path / "index") == whole


def test_two_builds_at_once(tmp_path: Path) -> None:
    with (
        building_in(tmp_path),
        pytest.raises(BusyError, match=rf"process {os.getpid()} on .* wait until it is done"),
    ):
        build(tmp_path)
    assert build(tmp_path).n_features == 20


def test_an_interrupt_leaves_a_folder_that_goes_on(tmp_path: Path) -> None:
    class Interrupted(WordSubject):
        def activations(
            self,
            site: SiteRef,
            ids: Int[torch.Tensor, "batch pos"],
            mask: Int[torch.Tensor, "batch pos"] | None = None,
        ) -> Float[torch.Tensor, "batch pos d"]:
            if self.calls >= 6:
                raise KeyboardInterrupt
            return super().activations(site, ids, mask)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, Interrupted())
    with pytest.raises(StorageError, match="not finished"):
        ActivationIndex.open(tmp_path)
    assert build(tmp_path).statistics.count.sum() > 0


def test_readers_share_an_index_between_threads(tmp_path: Path) -> None:
    index = build(tmp_path)
    expected = [index.explore.firings(f).position.tolist() for f in range(20)]
    again = ActivationIndex.open(tmp_path)
    found: list[list[list[int]]] = []
    threads = [
        threading.Thread(
            target=lambda: found.append([again.explore.firings(f).position.tolist() for f in range(20)])
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_odd_texts_and_titles_survive(tmp_path: Path) -> None:
    odd = "nul \x00, שלום, 👩‍👩‍👧, e\u0301 <b>&amp;</b>\n"
    documents = [Document(d.id + odd, odd, odd, d.text + odd, "test") for d in word_documents()]
    index = build_index(tmp_path, WordSubject(), ReluDictionary(), documents, context=64)
    info = index.explore.text.documents[-1]
    assert info.title == info.genre == odd
    assert info.id.endswith(odd)
    repeated = [d._replace(id="same") for d in word_documents()]
    index = build_index(tmp_path / "b", WordSubject(), ReluDictionary(), repeated, context=64)
    ids = [d.id for view in (index.explore, index.validate) for d in view.text.documents]
    assert len(set(ids)) == len(ids)
