"""The form that every benchmark prints: a table for people and, on request, one line of JSON.

    python -m benchmarks.NAME [--quick] [--json]

With `--json` the last line of standard output is one JSON object: the benchmark's keys, and under
`machine` the machine and the versions that they were measured with.
"""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

PACKAGES = ("glossator", "torch", "transformers", "numpy")


class Row(NamedTuple):
    """One line of the table."""

    measure: str
    """What was measured."""
    value: str
    """The number with its unit, or several."""
    note: str = ""
    """The bar, the spread, or how it was measured; may be empty."""


def machine_facts(packages: tuple[str, ...] = PACKAGES) -> dict[str, JsonValue]:
    """The machine and the installed versions of `packages`; `None` for one that is not installed."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
    }


def emit(
    title: str,
    rows: list[Row],
    keys: dict[str, JsonValue],
    as_json: bool,
    packages: tuple[str, ...] = PACKAGES,
) -> None:
    """Print the table and, if `as_json`, one last line that is a JSON object of `keys` and the machine.

    Args:
        title: what the benchmark measures, with seeds and sizes.
        rows: the table.
        keys: the numbers under the names that the benchmark promises.
        as_json: whether to print the last line.
        packages: distributions whose versions matter.
    """
    facts = machine_facts(packages)
    versions = ", ".join(f"{name} {found or 'absent'}" for name, found in sorted(_versions(packages).items()))
    print(f"\n{title}")
    print(f"  {facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}")
    print(f"  Python {facts['python']}, {versions}; load {facts['load_1min']}\n")
    wide_measure = max((len(row.measure) for row in rows), default=0)
    wide_value = max((len(row.value) for row in rows), default=0)
    for row in rows:
        print(f"  {row.measure:<{wide_measure}}  {row.value:>{wide_value}}  {row.note}".rstrip())
    print(flush=True)
    if as_json:
        print(json.dumps({**keys, "machine": facts}, ensure_ascii=False, allow_nan=False), flush=True)


def _versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    return {name: _version(name) for name in packages}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


def _memory_gib() -> float | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
