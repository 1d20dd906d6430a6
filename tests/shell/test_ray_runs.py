"""Index shards and labelling runs on a real Ray cluster of two nodes and a real PostgreSQL.

The last test of the cluster kills one of its nodes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import glossator.ray_cluster as ray_cluster
from glossator.cli import run as run_command
from glossator.errors import SettingsError, UserError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.probes.activation_index import encoding
from glossator.ray_cluster import RayCluster, require_fit
from glossator.ray_placement import RayPlacement, key_variables
from glossator.records import ItemState, RunEventKind
from glossator.run_launch import conduct_run
from glossator.run_planning import RunWish, plan_run
from glossator.session import Session
from glossator.settings import Settings, load_settings
from tests.llm_wire.scripted_server import ScriptedServer, serving
from tests.memory.postgres_server import postgres_server
from tests.shell.ray_fixtures import started_cluster
from tests.shell.shell_fixtures import tiny_project
from tests.shell.test_label_with_llm import KEY, SCRIPT

FEATURES = "0-19"
SLOTS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with started_cluster(2, quick=True) as started:
        yield started


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving(SCRIPT) as scripted:
        yield scripted


def settings_of(folder: Path, **changed: object) -> Settings:
    flags = tiny_project(folder)
    given = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    return load_settings({**given, **changed}, folder=folder, environment={}).settings


def until(seconds: float, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def settings(**given: str) -> Settings:
    return Settings.model_validate(given)


def test_only_the_variables_of_the_models_travel() -> None:
    there = {
        "MY_KEY": "1",
        "OPENAI_API_KEY": "2",
        "ANTHROPIC_API_KEY": "3",
        "OTHER_API_KEY": "4",
        "PATH": "5",
    }
    behind = settings(base_url="http://h/v1", explainer="m", api_key_variable="MY_KEY")
    assert key_variables(behind, there) == {"MY_KEY": "1"}
    hosted = settings(explainer="openai:gpt-5-mini", scorer="anthropic:claude")
    assert key_variables(hosted, there) == {"OPENAI_API_KEY": "2", "ANTHROPIC_API_KEY": "3"}
    assert key_variables(settings(), there) == {}


def test_how_postgres_is_reached_travels_where_it_is_the_ledger() -> None:
    there = {"PGPASSWORD": "1", "PGPASSFILE": "/p", "PGHOST": "h", "PGDATA": "/d", "PATH": "5"}
    url = "postgresql+psycopg://me@/glossator"
    assert key_variables(settings(ledger_url=url), there) == {
        "PGHOST": "h", "PGPASSFILE": "/p", "PGPASSWORD": "1",
    }  # fmt: skip
    assert key_variables(settings(), there) == {}


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"glossator\[ray\]"):
        RayCluster.join("auto")


def index_files(home: Path) -> dict[str, bytes]:
    folder = home / "indexes"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_an_index_from_ray_is_the_same_to_the_byte(
    tmp_path: Path, cluster: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "SHARD_PAIRS", 1)  # as many shards as there are batches
    flags = [*tiny_project(tmp_path), "--tokens", "20000", "--threads", "1"]
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n\n".join(f"{corpus.read_text()} {i}" for i in range(6)))
    assert run_command(["index", "build", "--json", *flags]) == 0
    local = json.loads(capsys.readouterr().out.splitlines()[-1])
    expected = index_files(tmp_path / "home")
    shards = sorted(name for name in expected if "/shards/" in name)
    assert len(shards) > 4

    folder = tmp_path / "home" / "indexes"
    kept = folder / shards[1]
    stamp = kept.stat().st_mtime_ns
    for name in expected:
        if name != shards[1]:
            (folder / name).unlink()
    assert run_command(["index", "build", "--json", *flags, "--ray", cluster.address]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == local
    assert index_files(tmp_path / "home") == expected
    assert kept.stat().st_mtime_ns == stamp  # what stood was not encoded again


@pytest.mark.slow
def test_a_node_without_glossator_is_named(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def examine(mark):\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    only_here = importlib.import_module("only_here")
    monkeypatch.setattr(ray_cluster, "examine", only_here.examine)
    with RayCluster.join(cluster.address) as joined:
        machines = joined.machines(joined.nodes(), tmp_path)
        with pytest.raises(SettingsError, match=r"has a Glossator that cannot be used \(.*only_here"):
            require_fit(machines, tmp_path)


@pytest.mark.slow
def test_a_killed_node_costs_no_feature_and_none_is_done_twice(
    tmp_path: Path, cluster: Any, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)  # the nodes were started without it
    both_at_it = threading.Event()

    def in_time(_: int) -> int:
        both_at_it.wait(120)
        time.sleep(0.1)
        return 200

    server.status = in_time
    with postgres_server() as database:
        url = database.new_database()
        chosen = settings_of(
            tmp_path, ledger_url=url, base_url=server.base_url, explainer="m", api_key_variable="MY_KEY",
            llm_slots=SLOTS, windows_per_prompt=5,
        )  # fmt: skip
        with RayCluster.join(cluster.address) as joined, Session(chosen) as session:
            planned = plan_run(session, RunWish(features=FEATURES, workers=2))
            placement = RayPlacement(joined, chosen, session.ledger())
            assert len(placement.check()) == 2
            conducting = threading.Thread(target=conduct_run, args=(session, planned.id, {}, placement))
            conducting.start()
            with Ledger.open(url) as ledger:
                kill_in_the_middle(cluster, ledger, planned.id, both_at_it)
                conducting.join(150)
                assert not conducting.is_alive()
                check(ledger, planned.id, server)
    assert server.keys == {f"Bearer {KEY}"}
    assert not [p for p in session_files(cluster) if KEY.encode() in p.read_bytes()]


def kill_in_the_middle(cluster: Any, ledger: Ledger, run: str, both_at_it: threading.Event) -> None:
    """Once both workers have ended features, kill the node of one of them, its process and all.

    However much later than the other one of them begins: until then nothing is answered.
    """
    queue, workers = WorkQueue(ledger, run), RunWorkers(ledger, run)

    def ended() -> Counter[str]:
        return Counter(item.worker for item in queue.items() if item.state is ItemState.DONE)

    until(120, lambda: sum(load.in_work > 0 for load in workers.loads()) == 2)
    both_at_it.set()
    until(60, lambda: len(ended()) == 2)
    loads = workers.loads()
    assert len({load.process for load in loads}) == 2
    victim = cluster.worker_nodes.copy().pop()
    cluster.remove_node(victim, allow_graceful=False)
    assert queue.counts().left > 0, "it was over before the kill"


def check(ledger: Ledger, run: str, server: ScriptedServer) -> None:
    items = list(WorkQueue(ledger, run).items())
    assert {i.state for i in items} <= {ItemState.DONE, ItemState.SKIPPED}
    done = [i for i in items if i.state is ItemState.DONE]
    again = sum(i.attempts - 1 for i in done)
    rows = ledger.read_rows(text("SELECT feature, count(*) AS n FROM run_items GROUP BY feature"))
    assert {str(r["feature"]): r["n"] for r in rows} == {str(i.feature): 1 for i in done}
    (lost,) = LabellingRunStore(ledger).events(run, RunEventKind.WORKER_LOST)
    assert f"{again} features that it was at are free again" in lost.event.words
    (paid,) = ledger.read_rows(text("SELECT count(*) AS n FROM llm_calls"))
    # Lost at the kill: what was in flight, and what was answered and on its way to the ledger.
    assert 0 <= len(server.asked) - paid["n"] <= 4 * SLOTS


def session_files(cluster: Any) -> list[Path]:
    folder = Path(cluster.head_node.get_session_dir_path())
    return [p for p in folder.rglob("*") if p.is_file() and os.access(p, os.R_OK)]


def test_the_command_refuses_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = tiny_project(tmp_path)
    assert run_command(["run", "start", "--features", "0-3", "--ray", "127.0.0.1:9", *flags]) == 2
    assert "ray start --head" in capsys.readouterr().err
    with Ledger.open(tmp_path / "home" / "ledger.sqlite") as ledger:
        assert not LabellingRunStore(ledger).all()
