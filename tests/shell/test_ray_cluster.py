from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import glossator
from glossator.cli import run
from glossator.errors import IndexMismatchError, SettingsError
from glossator.ray_cluster import Machine, RayNode, here, require_fit, require_shared_ledger
from glossator.ray_index import ShardNode
from glossator.ray_placement import gpu_share
from glossator.run_launch import RunOrders
from glossator.session import Session
from glossator.settings import Settings, load_settings
from tests.shell.shell_fixtures import tiny_project


def machine(**changed: Any) -> Machine:
    host, boot = here()
    kept = Machine("a node", host, boot, glossator.__version__, sees_mark=True)
    return kept._replace(**changed)


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


def test_a_detached_coordinator_is_told_of_the_cluster() -> None:
    orders = RunOrders(Settings.model_validate({}), {"workers": 2}, "host:6379")
    assert RunOrders.read(orders.text()) == orders
    assert RunOrders.read(orders.settings.model_dump_json()).ray is None


def test_gpus_are_shared_out_to_the_workers() -> None:
    def share(device: str, gpus: float, nodes: int, workers: int) -> float:
        return gpu_share(device, [RayNode("n", "n", 8.0, gpus)] * nodes, workers)

    assert share("auto", 1.0, nodes=2, workers=2) == 1.0
    assert share("auto", 1.0, nodes=2, workers=6) == 0.333
    assert share("auto", 4.0, nodes=1, workers=2) == 1.0
    assert share("auto", 0.0, nodes=2, workers=2) == 0.0
    assert share("cpu", 1.0, nodes=2, workers=2) == 0.0


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999"])
def test_no_cluster_is_said_at_once(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["index", "build", "--ray", address, "--home", str(tmp_path)]) == 2
    assert address in capsys.readouterr().err


def test_a_node_with_another_dictionary_is_refused(tmp_path: Path) -> None:
    flags = tiny_project(tmp_path)
    given = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    settings = load_settings(given, folder=tmp_path, environment={}).settings
    with Session(settings) as session:
        index = session.build_index()
    identity = index.manifest.identity.model_dump_json()
    other = settings.model_copy(update={"dictionary": "neurons:0"}).model_dump_json()
    ShardNode(str(index.path), identity).prepare(settings.model_dump_json())
    with pytest.raises(IndexMismatchError, match="dictionary is"):
        ShardNode(str(index.path), identity).prepare(other)
