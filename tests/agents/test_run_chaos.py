"""A run that is killed again and again, at an endpoint that fails, ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from benchmarks.chaos_endpoint import Weather
from benchmarks.run_chaos import ChaosPlan, ChaosResult, run_chaos
from glossator.records import RunState
from tests.memory.postgres_server import postgres_server


@pytest.fixture(scope="module")
def server_place() -> Generator[str]:
    with postgres_server() as server:
        yield server.new_database()


def survived(came: ChaosResult) -> None:
    assert came.keys == {"items_lost": 0, "items_twice": 0, "calls_over_needed": 0, "budget_exceeded": 0}
    assert (came.state, came.left) == (RunState.FINISHED, 0)
    assert came.outages == 2
    assert all(came.failures[kind] > 0 for kind in ("429", "500", "503"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_thousand_features_survive_twenty_kills_and_two_outages(tmp_path: Path) -> None:
    came = run_chaos(str(tmp_path / "l.sqlite"), ChaosPlan(weather=Weather(latency=0.01)))
    survived(came)
    assert came.kills == 20
    assert came.calls_paid == came.calls_needed + came.in_flight_at_kills


@pytest.mark.slow
def test_a_worker_goes_on_while_another_is_killed(tmp_path: Path) -> None:
    came = run_chaos(str(tmp_path / "l.sqlite"), ChaosPlan(features=150, kills=4, workers=2))
    survived(came)
    assert came.kills >= 2  # a fast machine may be done before the last one is due


@pytest.mark.slow
def test_a_server_as_the_ledger_survives_the_same(server_place: str) -> None:
    came = run_chaos(server_place, ChaosPlan(features=150, kills=4, workers=2))
    survived(came)
    assert came.kills >= 2  # a fast machine may be done before the last one is due


@pytest.mark.slow
def test_a_budget_that_is_too_small_is_kept_whatever_is_killed(tmp_path: Path) -> None:
    plan = ChaosPlan(features=200, kills=4, workers=2, calls=450)
    came = run_chaos(str(tmp_path / "l.sqlite"), plan)
    assert came.state is RunState.STOPPED
    assert 0 < came.left < 200
    assert (came.items_lost, came.items_twice, came.budget_exceeded) == (0, 0, 0)
    assert came.requests > 200
