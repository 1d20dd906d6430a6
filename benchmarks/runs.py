"""Labelling runs: throughput, memory, busy slots, survival, and more than one machine.

    python -m benchmarks.runs [--quick] [--json] [--only throughput,chaos,ray]

Keys: `features_per_s`, `calls_per_s`, `slots_busy`, `rss_growth` (throughput); `items_lost`, `items_twice`,
`calls_over_needed`, `budget_exceeded` (chaos: kills, outages, broken answers); `ray_speedup_2` (two nodes).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from importlib import import_module

from pydantic import JsonValue

from benchmarks.report_form import PACKAGES, Row, emit
from benchmarks.run_throughput import Throughput

PARTS: Mapping[str, str] = {
    "throughput": "benchmarks.run_throughput:throughput",
    "chaos": "benchmarks.run_chaos:survived",
    "ray": "benchmarks.run_ray:sped_up",
}
"""Each part is a function of `quick` that returns keys and rows; its extras may be missing."""


def main() -> None:
    """Run the parts and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, joined by commas")
    given = parser.parse_args()
    keys: dict[str, JsonValue] = {}
    rows: list[Row] = []
    for name in given.only.split(","):
        found = part(name)(quick=given.quick)
        keys |= found.keys
        rows += found.rows
    title = "Labelling runs, scripted models" + (" (quick: small, noisy)" if given.quick else "")
    emit(title, rows, keys, given.json, (*PACKAGES, "sqlalchemy"))


def part(name: str) -> Callable[..., Throughput]:
    """The part called `name`."""
    module, function = PARTS[name].split(":")
    return getattr(import_module(module), function)


if __name__ == "__main__":
    main()
