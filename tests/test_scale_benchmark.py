"""The arithmetic of the scale model, against sums done by hand."""

from __future__ import annotations

import json

import pytest

from benchmarks.scale import CASES, main, spelled
from benchmarks.scale_model import (
    Machine,
    Stage,
    Units,
    Work,
    bottleneck,
    building,
    dollars,
    doubled,
    labelling,
    labelling_seconds,
    sizes,
    total_seconds,
)

WORK = Work(features=1000, tokens=2**26, k=32, width=100)
MACHINE = Machine("m", devices=2, cores=4, slots=8, forward=1e-6, encode=1e-9)


def by_name(stages: tuple[Stage, ...]) -> dict[str, float]:
    return {stage.name: stage.seconds for stage in stages}


def test_sizes_are_pairs_starts_and_token_ids() -> None:
    found = sizes(WORK, Units(calls=10, card_bytes=1000, call_bytes=5, finding_bytes=7))
    assert found.pairs == 2**31
    assert found.shards == 512
    starts = 4 * 1000 * 1024  # two blocks of 65,536 positions a shard
    assert found.index_bytes == 4 * 2**31 + starts + 2 * 2**26
    assert found.ledger_bytes == 1000 * (1000 + 50)
    assert found.findings_bytes == 7000


def test_wide_dictionaries_pay_for_their_starts() -> None:
    """As measured: 4.96 bytes a pair at a million features and 64 a token."""
    million = sizes(Work(1_000_000, 1e9, 64, 576), Units())
    assert million.index_bytes / million.pairs == pytest.approx(4.96 + 2 / 64, abs=0.02)


def test_stages_are_work_over_what_does_it_at_once() -> None:
    units = Units(
        reading=1e6, pairs_written=1e7, measuring=2.0, calls=10, latency=0.5, saving=0.001, saving_call=1e-5
    )
    built = by_name(building(WORK, MACHINE, units))
    assert built["read, split, tokenise"] == pytest.approx(2**26 / 1e6)
    assert built["forward pass and dictionary"] == pytest.approx(2**26 * 2e-6 / 2)
    assert built["sort and write shards"] == pytest.approx(2**31 / 1e7 / 2)
    labelled = by_name(labelling(WORK, MACHINE, units))
    assert labelled["analyst, windows, scores"] == pytest.approx(1000 * 2.0 / 4)
    assert labelled["LLM calls"] == pytest.approx(1000 * 10 * 0.5 / 8)
    assert labelled["ledger"] == pytest.approx(1000 * (0.001 + 1e-4))


def test_labelling_takes_as_long_as_the_longest_of_what_goes_on_together() -> None:
    stages = labelling(WORK, MACHINE, Units(latency=0.01))
    on_cores = sum(s.seconds for s in stages if s.name not in ("LLM calls", "ledger", "findings index"))
    assert labelling_seconds(stages) == pytest.approx(on_cores)
    slow = labelling(WORK, MACHINE, Units(latency=1e5))
    assert labelling_seconds(slow) == by_name(slow)["LLM calls"] > on_cores


def test_neighbours_grow_with_the_square_of_the_features() -> None:
    one, two = (
        by_name(labelling(WORK._replace(features=n), MACHINE, Units()))["nearest directions"]
        for n in (10_000, 20_000)
    )
    assert two == pytest.approx(4 * one)


def test_doubling_what_is_longest_is_felt_and_what_is_hidden_is_not() -> None:
    units = Units(latency=1e4)
    assert bottleneck(WORK, MACHINE, units).name == "LLM calls"
    assert doubled(WORK, MACHINE, units, "latency") > 1.9
    assert bottleneck(WORK, MACHINE, Units(latency=0.01)).name == "measuring features"
    assert doubled(WORK, MACHINE, units, "saving") == 1.0
    assert doubled(WORK, MACHINE, units, "reading") > 1.0, "a rate is halved, not doubled"


def test_dollars() -> None:
    assert dollars(WORK, Units(tokens_in=5000, tokens_out=500), 0.2, 2.0) == pytest.approx(2.0)


def test_more_nodes_are_never_slower() -> None:
    gpu, nodes = CASES[2], CASES[3]
    assert total_seconds(nodes.work, nodes.machine, Units()) < total_seconds(gpu.work, gpu.machine, Units())


def test_the_table_and_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--latency", "1", "--slots", "2"])
    out = capsys.readouterr().out
    keys = json.loads(out.splitlines()[-1])
    assert keys["gpu_million_seconds"] > 0
    assert {f"{case.key}_bottleneck" for case in CASES} <= keys.keys()
    assert "$3,350" in out
    assert (spelled(90), spelled(7200), spelled(5)) == ("1.5 min", "2.0 h", "5.0 s")
