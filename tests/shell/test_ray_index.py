from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import glossator
import glossator.ray_cluster as ray_cluster
from glossator.cli import run
from glossator.errors import IndexMismatchError, SettingsError
from glossator.probes.activation_index import encoding
from glossator.ray_cluster import Machine, RayCluster, here, require_fit, require_shared_ledger
from glossator.ray_index import ShardNode
from glossator.session import Session
from glossator.settings import load_settings
from tests.shell.ray_fixtures import started_cluster
from tests.shell.shell_fixtures import tiny_project


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with started_cluster(2) as started:
        yield started


def machine(**changed: Any) -> Machine:
    host, boot = here()
    kept = Machine("a node", host, boot, glossator.__version__, sees_mark=True)
    return kept._replace(**changed)


def index_files(home: Path) -> dict[str, bytes]:
    folder = home / "indexes"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nodes_that_cannot_do_the_work_are_named(tmp_path: Path) -> None:
    require_fit([machine()], tmp_path)
    with pytest.raises(SettingsError, match=r"a node has a Glossator 0\.0\.9.*pip install"):
        require_fit([machine(version="0.0.9")], tmp_path)
    with pytest.raises(SettingsError, match="does not see"):
        require_fit([machine(sees_mark=False)], tmp_path)


def test_a_file_is_no_ledger_for_two_machines(tmp_path: Path) -> None:
    require_shared_ledger([machine(), machine()], tmp_path / "ledger.sqlite", is_server=False)
    for other in (machine(host="other"), machine(boot="other")):
        require_shared_ledger([other], "postgresql://x", is_server=True)
        with pytest.raises(SettingsError, match="ledger_url"):
            require_shared_ledger([machine(), other], tmp_path / "ledger.sqlite", is_server=False)


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999"])
def test_no_cluster_is_said_at_once(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["index", "build", "--ray", address, "--home", str(tmp_path)]) == 2
    assert address in capsys.readouterr().err


@pytest.mark.slow
def test_an_index_from_ray_is_the_same_to_the_byte(
    tmp_path: Path, cluster: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "SHARD_PAIRS", 1)  # as many shards as there are batches
    flags = [*tiny_project(tmp_path), "--tokens", "20000", "--threads", "1"]
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n\n".join(f"{corpus.read_text()} {i}" for i in range(6)))
    assert run(["index", "build", "--json", *flags]) == 0
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
    assert run(["index", "build", "--json", *flags, "--ray", cluster.address]) == 0
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


def test_a_node_with_another_dictionary_is_refused(tmp_path: Path) -> None:
    flags = tiny_project(tmp_path)
    given = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    settings = load_settings(given, folder=tmp_path, environment={}).settings
    with Session(settings) as session:
        index = session.build_index()
    identity = index.manifest.identity.model_dump_json()
    other = settings.model_copy(update={"dictionary": "neurons:0"}).model_dump_json()
    ShardNode(settings.model_dump_json(), str(index.path), identity).prepare()
    with pytest.raises(IndexMismatchError, match="dictionary is"):
        ShardNode(other, str(index.path), identity).prepare()
