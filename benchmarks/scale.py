"""A million features and a billion tokens on paper: time, bytes and dollars per stage, and what comes first.

    python -m benchmarks.scale [--json] [--latency SECONDS] [--slots N] [--calls N]

Closed form over unit costs that other benchmarks and `docs/scale.md` give (`benchmarks/scale_model.py` says
how); nothing is run. For each machine: the stages, the longest one, and what doubling a unit cost does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from benchmarks.report_form import Row, emit
from benchmarks.scale_model import (
    Machine,
    Units,
    Width,
    Work,
    bottleneck,
    building,
    dollars,
    doubled,
    labelling,
    sizes,
    total_seconds,
)

LAPTOP = Machine("laptop, 2 cores", 1, 2, 4, 372e-6, 11.2e-9)
"""The starter subject of 135M parameters."""
ONE_GPU = Machine("1 GPU, 16 cores", 1, 16, 64, 7.5e-6, 15.6e-12)
"""A subject of 2B parameters on an H200."""
EIGHT_NODES = Machine("8 nodes", 8, 128, 512, 7.5e-6, 15.6e-12)
"""As many of the same."""
PRICES = ((0.05, 0.4), (0.25, 2.0), (1.25, 10.0))
"""Dollars per million input and output tokens: points to scale from, no offers."""


class Case(NamedTuple):
    """One machine with its work."""

    key: str
    machine: Machine
    work: Work


CASES = (
    Case("laptop_starter", LAPTOP, Work(4096, 4e5, 24, 576)),
    Case("laptop_million", LAPTOP, Work(1_000_000, 1e9, 64, 576)),
    Case("gpu_million", ONE_GPU, Work(1_000_000, 1e9, 64, 2304)),
    Case("nodes_million", EIGHT_NODES, Work(1_000_000, 1e9, 64, 2304)),
)
DOUBLED = (
    "reading", "pairs_written", "statistics_feature", "measuring", "nearest_value", "coactivation_pair",
    "firings_read", "latency", "saving",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    parser.add_argument("--latency", type=float, default=Units().latency, help="seconds of an LLM call")
    parser.add_argument("--calls", type=float, default=Units().calls, help="LLM calls a feature")
    parser.add_argument("--slots", type=int, help="LLM calls at once, on every machine")
    asked = parser.parse_args(arguments)
    units = Units(latency=asked.latency, calls=asked.calls)
    rows: list[Row] = []
    keys: dict[str, JsonValue] = {}
    for case in CASES:
        machine = case.machine if asked.slots is None else case.machine._replace(slots=asked.slots)
        tell(case._replace(machine=machine), units, rows, keys)
    emit("Scale on paper: least times from unit costs, closed form", rows, keys, asked.json, ("glossator",))


def tell(case: Case, units: Units, rows: list[Row], keys: dict[str, JsonValue]) -> None:
    """Add the stages of one case to `rows`, and its key numbers to `keys`."""
    work, machine = case.work, case.machine
    rows.append(Row(machine.name, f"{work.features:,} features", f"{work.tokens:,.0f} tokens, k={work.k}"))
    for stage in (*building(work, machine, units), *labelling(work, machine, units)):
        note = "" if stage.spread is Width.ONE else f"{stage.work / 3600:,.1f} hours of one"
        rows.append(
            Row(f"  {stage.name}", spelled(stage.seconds), f"{stage.spread.value}; {note}".rstrip("; "))
        )
    size, first = sizes(work, units), bottleneck(work, machine, units)
    total = total_seconds(work, machine, units)
    rows.append(Row("  in all", spelled(total), f"longest: {first.name}, {spelled(first.seconds)}"))
    note = f"{size.pairs:,.0f} pairs in {size.shards:,.0f} shards"
    rows.append(Row("  index", f"{size.index_bytes / 1e9:,.1f} GB", note))
    rows.append(Row("  ledger", f"{size.ledger_bytes / 1e9:,.1f} GB"))
    rows.append(Row("  findings index", f"{size.findings_bytes / 1e9:,.2f} GB"))
    money = [f"${dollars(work, units, *price):,.0f} at {price[0]:g}/{price[1]:g}" for price in PRICES]
    rows.append(Row("  LLM", money[1].split(" at ")[0], "; ".join(money)))
    factors = {name: doubled(work, machine, units, name) for name in DOUBLED}
    felt = sorted((n for n in factors if factors[n] > 1.005), key=lambda n: -factors[n])
    rows.append(Row("  total if twice as dear", "", ", ".join(f"{n} {factors[n]:.2f} x" for n in felt)))
    keys[f"{case.key}_seconds"] = round(total)
    keys[f"{case.key}_bottleneck"] = first.name
    keys[f"{case.key}_index_gb"] = round(size.index_bytes / 1e9, 2)
    keys[f"{case.key}_ledger_gb"] = round(size.ledger_bytes / 1e9, 2)


def spelled(seconds: float) -> str:
    """Seconds in the unit that people would use."""
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


if __name__ == "__main__":
    main()
