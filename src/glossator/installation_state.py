"""What is installed, found and reachable: the lines of `glossator doctor`.

Nothing is fetched, built or changed. Packages are looked up by their metadata; only torch is imported,
to ask for its devices.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import metadata
from pathlib import Path

import glossator
from glossator.errors import GlossatorError, without_credentials
from glossator.records import Record
from glossator.session import Session
from glossator.starter_assets import asset_states

PACKAGES = (
    "torch", "transformers", "numpy", "scipy", "scikit-learn", "safetensors", "pydantic", "sqlalchemy",
    "chromadb", "google-re2", "jinja2", "typer", "rich",
)  # fmt: skip
EXTRAS = {
    "datasets": ("datasets",),
    "saelens": ("sae-lens", "transformer-lens"),
    "postgres": ("psycopg",),
    "ray": ("ray",),
}
LEAST_DISK = 2 * 2**30
LEAST_MEMORY = 3 * 2**30


class State(StrEnum):
    """How a part stands."""

    OK = "ok"
    MISSING = "missing"
    """Not there yet, or optional; what to do is said."""
    BROKEN = "broken"
    """Essential and unusable."""


class Finding(Record):
    """One line of the doctor's report."""

    part: str
    """What was looked at."""
    state: State
    """How it stands."""
    detail: str
    """What was found."""
    what_to_do: str = ""
    """Next step; empty if all is well."""


def examine(session: Session) -> Iterator[Finding]:
    """Every line of the report, in order; never raises for what is broken."""
    yield _python()
    yield from (_package(name) for name in PACKAGES)
    yield _device()
    yield from _assets(session.settings.cache)
    yield _guarded("ledger", "see `glossator memory check`", lambda: _ledger(session))
    yield _findings(session)
    yield _guarded("activation index", "glossator index build repairs it", lambda: _index(session))
    yield from (_extra(name, packages) for name, packages in EXTRAS.items())
    yield from (_disk("home disk", session.settings.home), _disk("cache disk", session.settings.cache))
    yield _memory()


def _python() -> Finding:
    detail = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    sound = sys.version_info >= (3, 11)
    return Finding(
        part="glossator",
        state=State.OK if sound else State.BROKEN,
        detail=f"{glossator.__version__}, {detail}, {os.cpu_count()} CPUs",
        what_to_do="" if sound else "Glossator needs Python 3.11 or newer",
    )


def _package(name: str) -> Finding:
    try:
        return Finding(part=name, state=State.OK, detail=metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(
            part=name,
            state=State.BROKEN,
            detail="not installed",
            what_to_do=f"install Glossator again, or: pip install {name}",
        )


def _extra(name: str, packages: tuple[str, ...]) -> Finding:
    found = [f"{p} {_version(p)}" for p in packages]
    complete = all(_version(p) for p in packages)
    return Finding(
        part=f"extra {name}",
        state=State.OK if complete else State.MISSING,
        detail=", ".join(found) if complete else "not installed (optional)",
        what_to_do="" if complete else f"pip install 'glossator[{name}]'",
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _device() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of torch cannot be loaded
        return Finding(
            part="torch device", state=State.BROKEN, detail=str(error), what_to_do="install torch again"
        )
    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        detail = f"cuda: {torch.cuda.device_count()} × {', '.join(sorted(names))}"
    else:
        detail = f"cpu, {torch.get_num_threads()} threads"
    return Finding(part="torch device", state=State.OK, detail=detail)


def _assets(cache: Path) -> Iterator[Finding]:
    for asset in asset_states(cache):
        broken = asset.present and not asset.verified
        state = State.OK if asset.verified else State.MISSING
        size = f"{asset.size / 2**20:.1f} MiB, " if asset.size else ""
        found = "verified" if asset.verified else "damaged" if broken else "missing"
        yield Finding(
            part=asset.name, state=state, detail=f"{found}, {size}{asset.path}", what_to_do=asset.what_to_do
        )


def _ledger(session: Session) -> Finding:
    place = session.ledger_place
    if isinstance(place, Path) and not place.exists():
        return Finding(
            part="ledger",
            state=State.MISSING,
            detail=f"none at {place}",
            what_to_do="it is made by the first glossator label",
        )
    ledger = session.ledger()
    counts = ledger.counts()
    detail = f"{counts.features} features, {counts.cards} cards, {counts.runs} runs at {ledger.where}"
    return Finding(part="ledger", state=State.OK, detail=detail)


def _findings(session: Session) -> Finding:
    place = session.findings_place
    if isinstance(place, Path):
        made = (place / "seal.json").is_file()
        detail = f"{place}" if made else f"none at {place}"
        hint = "" if made else "it is made by glossator label or glossator memory rebuild"
        return Finding(
            part="findings index", state=State.OK if made else State.MISSING, detail=detail, what_to_do=hint
        )
    from glossator.memory.findings_index import server_answers

    def ask() -> Finding:
        server_answers(place)
        return Finding(
            part="findings index", state=State.OK, detail=f"server at {without_credentials(place)}"
        )

    return _guarded("findings index", "start it with `chroma run`, or leave chroma_url away", ask)


def _index(session: Session) -> Finding:
    known = session.passport()
    if known is None:
        return Finding(
            part="activation index",
            state=State.MISSING,
            detail="none for these settings",
            what_to_do="glossator index build (glossator label does it too)",
        )
    detail = f"{known.subject}/{known.dictionary}, {known.n_features} features, in {known.folder}"

    session.index(build=False)
    return Finding(part="activation index", state=State.OK, detail=detail)


def _guarded(part: str, what_to_do: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except GlossatorError as error:
        return Finding(part=part, state=State.BROKEN, detail=str(error), what_to_do=what_to_do)


def _disk(part: str, folder: Path) -> Finding:
    there = next((p for p in (folder, *folder.parents) if p.is_dir()), Path.cwd())
    free = shutil.disk_usage(there).free
    writable = os.access(there, os.W_OK)
    enough = free >= LEAST_DISK
    hint = "" if enough else "free space; a starter index and its assets need about 1 GB"
    return Finding(
        part=part,
        state=State.BROKEN if not writable else State.OK if enough else State.MISSING,
        detail=f"{free / 2**30:.1f} GiB free at {folder}" + ("" if writable else ", which cannot be written"),
        what_to_do=hint if writable else "make it writable, or set --home and --cache",
    )


def _memory() -> Finding:
    total = _available_memory()
    if total is None:
        return Finding(part="memory", state=State.OK, detail="not known on this system")
    enough = total >= LEAST_MEMORY
    hint = "" if enough else "close other programs, or index fewer --tokens: 4 GiB is comfortable"
    state = State.OK if enough else State.MISSING
    return Finding(part="memory", state=state, detail=f"{total / 2**30:.1f} GiB available", what_to_do=hint)


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    found = next(available, None)
    return None if found is None else 1024 * int(found)
