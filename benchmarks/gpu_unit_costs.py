"""Unit costs of reading a subject on an accelerator, for `docs/scale.md`.

    python -m benchmarks.gpu_unit_costs [--part indexing|neighbours|steering] [--subject 135m|2b]
        [--device cuda|cpu] [--quick] [--json]

Random subjects in bfloat16, random top-k dictionaries, random words: only speed and sizes matter. The
forward pass to the site, the dictionary, both together as an index build calls them (results on the
host), the writing of a shard, and whole builds; nearest directions among all features; steered
continuations. `--quick` measures a tiny subject on the CPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import JsonValue

from benchmarks.random_subjects import (
    LARGE,
    SMALL,
    TINY,
    WORDS,
    RandomCoder,
    RandomDocuments,
    SubjectSize,
    random_coder,
    random_subject,
)
from benchmarks.report_form import Row, emit
from glossator.errors import GlossatorError
from glossator.probes.activation_index import BuildProgress, build_index
from glossator.probes.activation_index.encoding import SHARD_PAIRS, Batch, encode_batch
from glossator.probes.activation_index.shard import BLOCK, ShardPlace, write_shard
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.subject import Subject
from glossator.records import SiteRef, Split

CONTEXT = 256
WIDE = 500_000
"""Features from which batches are a quarter as large, as each takes long."""
PARTS = ("indexing", "neighbours", "steering")


class Dictionaries(NamedTuple):
    """A dictionary to measure with."""

    features: int
    k: int


class Effort(NamedTuple):
    """How much is measured."""

    dictionaries: tuple[Dictionaries, ...]
    rows: int
    """Rows of 256 tokens in a batch."""
    seconds: float
    """Of each measurement, and of each build's encoding, about."""
    most_tokens: int
    """Of a build."""
    prompts: int
    """Steered at once."""
    generated: int
    """Tokens after each prompt."""
    queries: int
    """Features of one block of nearest neighbours."""


FULL = Effort(
    (Dictionaries(4096, 32), Dictionaries(65_536, 64), Dictionaries(1_000_000, 64)),
    256, 2.0, 1 << 20, 256, 32, 1024,
)  # fmt: skip
QUICK = Effort((Dictionaries(4096, 32),), 8, 0.2, 1 << 14, 8, 4, 32)


@dataclass
class Found:
    """What has been measured, also told at once, so that a run that is cut short leaves something."""

    rows: list[Row] = field(default_factory=list[Row])
    keys: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def add(self, key: str, measure: str, value: float, unit: str, note: str = "") -> None:
        """One number with its unit."""
        digits = 0 if value >= 1000 else 4 if value < 1 else 2
        self.rows.append(Row(measure, f"{value:,.{digits}f} {unit}", note))
        self.keys[key] = round(value, 6)
        print(f"{key} = {value:.6g} {unit}", file=sys.stderr, flush=True)

    def failed(self, what: str, error: Exception) -> None:
        """A measurement that could not be made."""
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        self.rows.append(Row(what, "failed", said))
        self.keys[f"failed_{what}"] = said
        print(f"failed: {what}: {said}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Bench:
    """What the measurements share."""

    size: SubjectSize
    device: str
    effort: Effort
    found: Found

    def rate(self, work: Callable[[], object], units: int) -> float:
        """Units per second of `work`, which does `units` of them, the device waited for; once to warm up."""
        work()
        self._wait()
        began, times = time.perf_counter(), 0
        while times < 2 or time.perf_counter() - began < self.effort.seconds:
            work()
            self._wait()
            times += 1
        return units * times / (time.perf_counter() - began)

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()


def indexing(bench: Bench, subject: Subject) -> None:
    """Forward passes, then every dictionary."""
    name, site = bench.size.name, SiteRef.parse(f"{bench.size.exit_layer}.resid")
    ids = np.random.default_rng(0).integers(3, WORDS, (bench.effort.rows, CONTEXT))
    forward = bench.rate(lambda: subject.activations(site, torch.from_numpy(ids)), ids.size)
    bench.found.add(f"forward_{name}", f"{name}: forward to block {site.layer}", forward, "tok/s")
    began = time.perf_counter()
    subject.fingerprint()
    bench.found.add(f"fingerprint_{name}", f"{name}: fingerprint", time.perf_counter() - began, "s")
    for wanted in bench.effort.dictionaries:
        label = f"{name}_{wanted.features}"
        try:
            coder = random_coder(bench.size, wanted.features, wanted.k, bench.device)
            wide = wanted.features > WIDE
            _dictionary(bench, subject, coder, ids[: max(1, len(ids) // 4)] if wide else ids, label)
        except (RuntimeError, MemoryError, OSError, GlossatorError) as error:
            bench.found.failed(f"indexing_{label}", error)
        if bench.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _dictionary(bench: Bench, subject: Subject, coder: RandomCoder, ids: np.ndarray, label: str) -> None:
    position = np.arange(ids.size).reshape(ids.shape)
    batch = Batch(ids, np.ones(ids.shape, bool), position)
    flat = subject.activations(coder.site, torch.from_numpy(ids)).reshape(-1, coder.d_in)
    encode = bench.rate(lambda: coder.encode_fast(flat), ids.size)
    bench.found.add(f"encode_{label}", f"{label}: dictionary alone", encode, "tok/s", f"k={coder.options.k}")
    both = bench.rate(lambda: encode_batch(subject, coder, batch, 0), ids.size)
    bench.found.add(f"batch_{label}", f"{label}: forward, dictionary, to the host", both, "tok/s")
    if bench.device.startswith("cuda"):
        peak = torch.cuda.max_memory_allocated() / 2**30
        bench.found.add(f"gpu_gib_{label}", f"{label}: most GPU memory so far", peak, "GiB")
    _shard(bench, subject, coder, batch, label)
    _build(bench, subject, coder, both, label)


def _shard(bench: Bench, subject: Subject, coder: RandomCoder, batch: Batch, label: str) -> None:
    """Writing one shard of the size that a build chooses."""
    pairs = encode_batch(subject, coder, batch, 0)
    times = max(1, min(SHARD_PAIRS // max(1, len(pairs.feature)), 16 * BLOCK // batch.ids.size))
    many = type(pairs)(
        np.tile(pairs.feature, times),
        np.concatenate([pairs.position + i * batch.ids.size for i in range(times)]),
        np.tile(pairs.activation, times),
    )
    positions = times * batch.ids.size
    place = ShardPlace(
        key="k", split=Split.EXPLORE, number=0, first_row=0, rows=positions // CONTEXT, start=0,
        positions=positions, features=coder.n_features,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="gpu-shard-") as scratch:
        (Path(scratch) / "shards").mkdir()
        rate = bench.rate(lambda: write_shard(Path(scratch), place, many), len(many.feature))
        size = (Path(scratch) / place.name).stat().st_size
    note = f"{len(many.feature):,} pairs, {place.blocks} blocks"
    bench.found.add(f"shard_{label}", f"{label}: sorting and writing a shard", rate, "pairs/s", note)
    bench.found.add(f"pair_bytes_{label}", f"{label}: shard bytes a pair", size / len(many.feature), "B")


def _build(bench: Bench, subject: Subject, coder: RandomCoder, rate: float, label: str) -> None:
    """A whole build, stage by stage."""
    tokens = int(min(max(rate * bench.effort.seconds * 2, 1 << 14), bench.effort.most_tokens))
    seen: dict[str, float] = {}

    def report(progress: BuildProgress) -> None:
        seen.setdefault(progress.stage, time.perf_counter())
        seen[f"{progress.stage} last"] = time.perf_counter()

    with tempfile.TemporaryDirectory(prefix="gpu-index-") as scratch:
        began = time.perf_counter()
        batch_tokens = bench.effort.rows * CONTEXT // (4 if coder.n_features > WIDE else 1)
        index = build_index(
            Path(scratch), subject, coder, RandomDocuments(tokens), context=CONTEXT,
            batch_tokens=batch_tokens, progress=report,
        )  # fmt: skip
        ended = time.perf_counter()
        built = sum(split.tokens for split in index.manifest.splits.values())
        pairs = sum(split.pairs for split in index.manifest.splits.values())
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
    add, note = bench.found.add, f"{built:,} tokens, {pairs:,} pairs"
    add(f"build_{label}", f"{label}: build, all stages", built / (ended - began), "tok/s", note)
    reading = built / (seen["reading last"] - began)
    add(f"reading_{label}", f"{label}:   reading twice, splitting, tokenising", reading, "tok/s")
    encoding = built / (seen["summing"] - seen["reading last"])
    add(f"encoding_{label}", f"{label}:   encoding to shards on disk", encoding, "tok/s")
    add(f"summing_{label}", f"{label}:   statistics and manifest", ended - seen["summing"], "s")
    add(f"index_pair_bytes_{label}", f"{label}:   index bytes a pair", size / pairs, "B")


def neighbours(bench: Bench) -> None:
    """The nearest of all directions: feature by feature as the code does it, and in blocks."""
    for wanted in bench.effort.dictionaries:
        label = f"{bench.size.name}_{wanted.features}"
        try:
            _neighbours(bench, wanted.features, label)
        except (RuntimeError, MemoryError) as error:
            bench.found.failed(f"neighbours_{label}", error)


def _neighbours(bench: Bench, features: int, label: str) -> None:
    draw = torch.Generator(device=bench.device).manual_seed(1)
    rows = torch.randn(features, bench.size.width, generator=draw, device=bench.device)
    one = bench.rate(lambda: nearest_by_direction(rows, 7, 8), 1)
    bench.found.add(f"nearest_{label}", f"{label}: nearest directions, one feature", 1e3 / one, "ms")
    low = torch.nn.functional.normalize(rows, dim=1).bfloat16()
    queries = min(bench.effort.queries, features)
    block = bench.rate(lambda: _nearest_block(low, low[:queries]), queries)
    note = f"all {features:,}: {features / block:,.1f} s"
    bench.found.add(f"nearest_block_{label}", f"{label}: in blocks of {queries}", block, "features/s", note)


def _nearest_block(rows: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """The 8 nearest of all `rows` to each query, chunk by chunk."""
    best = torch.empty(queries.shape[0], 0, device=rows.device, dtype=rows.dtype)
    for start in range(0, rows.shape[0], 1 << 16):
        found = (queries @ rows[start : start + (1 << 16)].T).topk(min(8, rows.shape[0] - start), dim=1)
        best = torch.cat([best, found.values], 1)
    return best.topk(8, dim=1).values


def steering(bench: Bench, subject: Subject) -> None:
    """Continuations of many prompts at once, clean and steered."""
    runs, effort, name = (
        InterventionRuns(subject, batch_rows=bench.effort.prompts),
        bench.effort,
        bench.size.name,
    )
    ids = np.random.default_rng(1).integers(3, WORDS, (effort.prompts, 16))
    prompts = [tuple(row) for row in ids.tolist()]
    site = SiteRef.parse(f"{bench.size.exit_layer}.resid")
    added = AddVectors(site, torch.randn(1, bench.size.width, generator=torch.Generator().manual_seed(2)))
    note = f"{effort.prompts} prompts of 16, {effort.generated} tokens each"
    for what, change in (("clean", None), ("steered", added)):
        rate = bench.rate(
            lambda change=change: runs.continuations(prompts, change, tokens=effort.generated),
            effort.prompts * effort.generated,
        )
        bench.found.add(f"{what}_{name}", f"{name}: {what} continuations", rate, "tok/s", note)
    nexts = bench.rate(lambda: runs.next_log_probs(prompts, added), effort.prompts)
    bench.found.add(f"next_{name}", f"{name}: steered next-token distributions", nexts, "prompts/s")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, help="one part alone")
    parser.add_argument("--subject", choices=("135m", "2b"), default="135m")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="a tiny subject and dictionary, in seconds")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    asked = parser.parse_args(arguments)
    size = TINY if asked.quick else {"135m": SMALL, "2b": LARGE}[asked.subject]
    bench = Bench(size, asked.device, QUICK if asked.quick else FULL, Found())
    measure(bench, PARTS if asked.part is None else (asked.part,))
    title = f"Unit costs of {size.name} on {_device_name(asked.device)}, bfloat16, rows of {CONTEXT}, seed 0"
    emit(title, bench.found.rows, bench.found.keys, asked.json)


def measure(bench: Bench, parts: Sequence[str]) -> None:
    """Run `parts`; one that fails is reported and leaves the others standing."""
    subject = None
    if set(parts) - {"neighbours"}:
        subject = random_subject(bench.size, bench.device, torch.bfloat16)
    for part in parts:
        try:
            if part == "neighbours":
                neighbours(bench)
            elif subject is not None:
                {"indexing": indexing, "steering": steering}[part](bench, subject)
        except (RuntimeError, MemoryError, OSError, GlossatorError) as error:
            bench.found.failed(part, error)


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


if __name__ == "__main__":
    main()
