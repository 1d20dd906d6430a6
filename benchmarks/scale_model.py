"""What a labelling of a whole dictionary takes, stage by stage, in closed form from unit costs.

A stage's seconds are its work divided by what does it at once. Building goes stage after stage; while
features are labelled, measuring them, asking the models and writing to the ledger go on at the same time,
so labelling takes as long as the longest of these. Nothing queues, fails or waits: times are least times.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

SHARD_PAIRS = 2**22
"""Pairs of a shard of a large index (`activation_index.encoding`)."""
BLOCK = 2**16
"""Positions of a block; a shard has a start per feature and block."""
EXPLORE = 0.6
"""Share of tokens that is `explore`."""
COACTIVATION_PAIRS = 16_000_000
"""Pairs that a feature's co-activation looks at, at most."""


class Width(StrEnum):
    """What a stage can be spread over."""

    ONE = "one process"
    DEVICES = "devices"
    CORES = "cores"
    SLOTS = "LLM slots"


class Units(NamedTuple):
    """Unit costs. Defaults are measured, see `docs/scale.md`; those of encoding belong to a machine."""

    reading: float = 300_000.0
    """Tokens a second: surveyed, split, tokenised; one process."""
    pairs_written: float = 10e6
    """Pairs a second, sorted and written as shards; per device's process."""
    pair_bytes: float = 4.0
    """On disk, without the starts of features."""
    statistics_pairs: float = 15.5e6
    """Pairs a second, summed up; one process."""
    statistics_feature: float = 0.63e-6
    """Seconds for each feature of each shard, summed up."""
    measuring: float = 2.2
    """Core-seconds a feature: analyst, windows, scores; most of it the sentence embedder."""
    nearest_value: float = 1.3e-9
    """Core-seconds for each value of the directions, for one feature's neighbours."""
    nearest_feature: float = 0.75e-6
    """Core-seconds for each feature that is sorted, for one feature's neighbours."""
    coactivation_pair: float = 16e-9
    """Core-seconds for each pair looked at."""
    coactivation_feature: float = 0.1e-6
    """Core-seconds for each feature of a shard looked at."""
    firings_read: float = 17e-6
    """Core-seconds for one feature in one shard, from memory."""
    reads: float = 32.0
    """Times that labelling one feature reads a split's shards, for it or a neighbour; measured on five."""
    calls: float = 11.0
    """LLM calls a feature."""
    tokens_in: float = 7000.0
    tokens_out: float = 800.0
    """LLM tokens a feature."""
    latency: float = 2.0
    """Seconds of a call."""
    saving: float = 0.0029
    """Seconds a feature of the ledger's one writer."""
    saving_call: float = 33e-6
    """Seconds a call of the ledger's one writer, many at once."""
    card_bytes: float = 86e3
    """Ledger bytes a feature, evidence and scores included."""
    call_bytes: float = 514.0
    finding: float = 0.42e-3
    """Seconds a label of the findings index, its embedding not included; one process."""
    finding_bytes: float = 2590.0


class Machine(NamedTuple):
    """Where it runs."""

    name: str
    devices: int
    cores: int
    slots: int
    forward: float
    """Seconds a token to the site, on one device, handing over included."""
    encode: float
    """Seconds a token for each feature of the dictionary, on one device."""


class Work(NamedTuple):
    """What is asked for."""

    features: int
    tokens: float
    k: int
    width: int
    """Of the site."""


class Stage(NamedTuple):
    """One stage and how long it takes."""

    name: str
    spread: Width
    work: float
    """Seconds if nothing were done at once."""
    seconds: float


class Sizes(NamedTuple):
    """What lies on disk in the end, and in how many files."""

    pairs: float
    shards: float
    index_bytes: float
    ledger_bytes: float
    findings_bytes: float
    statistics_bytes: float


def sizes(work: Work, units: Units) -> Sizes:
    """Bytes and files."""
    pairs = work.tokens * work.k
    shards = max(3.0, pairs / SHARD_PAIRS)
    starts = 4.0 * work.features * max(work.tokens / BLOCK, shards)
    return Sizes(
        pairs, shards, pairs * units.pair_bytes + starts + 2.0 * work.tokens,
        work.features * (units.card_bytes + units.calls * units.call_bytes),
        work.features * units.finding_bytes, work.features * 30 * 4.0,
    )  # fmt: skip


def building(work: Work, machine: Machine, units: Units) -> tuple[Stage, ...]:
    """The stages of the index."""
    size = sizes(work, units)
    explore = size.shards * EXPLORE
    summed = (
        size.pairs * EXPLORE / units.statistics_pairs + explore * work.features * units.statistics_feature
    )
    seconds = {
        "read, split, tokenise": (Width.ONE, work.tokens / units.reading),
        "forward pass and dictionary": (
            Width.DEVICES, work.tokens * (machine.forward + machine.encode * work.features),
        ),
        "sort and write shards": (Width.DEVICES, size.pairs / units.pairs_written),
        "statistics": (Width.ONE, summed),
    }  # fmt: skip
    return tuple(_stage(name, *own, machine) for name, own in seconds.items())


def labelling(work: Work, machine: Machine, units: Units) -> tuple[Stage, ...]:
    """The stages that go on at the same time, feature after feature."""
    size = sizes(work, units)
    seen = min(COACTIVATION_PAIRS, size.pairs * EXPLORE)
    together = seen * units.coactivation_pair + units.coactivation_feature * work.features * max(
        1.0, seen / SHARD_PAIRS
    )
    each = {
        "analyst, windows, scores": (Width.CORES, units.measuring),
        "nearest directions": (
            Width.CORES, work.features * (units.nearest_value * work.width + units.nearest_feature),
        ),
        "co-activation": (Width.CORES, together),
        "firings out of the shards": (Width.CORES, units.reads * units.firings_read * size.shards / 3),
        "LLM calls": (Width.SLOTS, units.calls * units.latency),
        "ledger": (Width.ONE, units.saving + units.calls * units.saving_call),
        "findings index": (Width.ONE, units.finding),
    }  # fmt: skip
    return tuple(
        _stage(name, spread, work.features * seconds, machine) for name, (spread, seconds) in each.items()
    )


def labelling_seconds(stages: tuple[Stage, ...]) -> float:
    """Stages on the cores share them; the others run beside them."""
    on_cores = sum(stage.seconds for stage in stages if stage.spread is Width.CORES)
    one_writer = sum(stage.seconds for stage in stages if stage.spread is Width.ONE)
    return max(on_cores, one_writer, *(s.seconds for s in stages if s.spread is Width.SLOTS))


def total_seconds(work: Work, machine: Machine, units: Units) -> float:
    """From a corpus to the last card."""
    built = sum(stage.seconds for stage in building(work, machine, units))
    return built + labelling_seconds(labelling(work, machine, units))


def bottleneck(work: Work, machine: Machine, units: Units) -> Stage:
    """What takes longest: a stage, or all that is done to features on the cores, which share them."""
    labelled = labelling(work, machine, units)
    on_cores = [stage for stage in labelled if stage.spread is Width.CORES]
    shared = Stage(
        "measuring features", Width.CORES, sum(s.work for s in on_cores), sum(s.seconds for s in on_cores)
    )
    others = [stage for stage in labelled if stage.spread is not Width.CORES]
    return max((*building(work, machine, units), *others, shared), key=lambda stage: stage.seconds)


def dollars(work: Work, units: Units, per_million_in: float, per_million_out: float) -> float:
    """What the models cost, nothing cached."""
    each = units.tokens_in * per_million_in + units.tokens_out * per_million_out
    return work.features * each / 1e6


def doubled(work: Work, machine: Machine, units: Units, name: str) -> float:
    """Total time with one unit cost twice as dear (rates halved), over the total time."""
    rate = name in ("reading", "pairs_written", "statistics_pairs")
    value = float(getattr(units, name))
    changed = units._replace(**{name: value / 2 if rate else value * 2})
    return total_seconds(work, machine, changed) / total_seconds(work, machine, units)


def _stage(name: str, spread: Width, seconds: float, machine: Machine) -> Stage:
    at_once = {
        Width.ONE: 1, Width.DEVICES: machine.devices, Width.CORES: machine.cores,
        Width.SLOTS: machine.slots,
    }  # fmt: skip
    return Stage(name, spread, seconds, seconds / at_once[spread])
