"""Index shards on nodes that are lost, late, wrong or interrupted, without a cluster."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import glossator.ray_index as ray_index
from glossator.errors import BusyError, ClusterError, ProbeError, SettingsError
from glossator.probes.activation_index.build_lock import building_in
from glossator.ray_index import RayShardEncoder
from glossator.session import Session
from glossator.settings import Settings
from tests.shell.fake_ray import Call, FakeCluster, FakeRay
from tests.shell.shell_fixtures import flag_settings, tiny_project

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Files]:
    """A project, and the files of its index as this process builds it: three shards."""
    folder = tmp_path_factory.mktemp("project")
    settings = flag_settings(tiny_project(folder), folder, ledger_url="postgresql://me:sesame@h/x")
    with Session(settings) as session:
        files = content(session.build_index().path)
    assert len(shards(files)) == 3
    return settings, files


@pytest.fixture
def damaged(whole: tuple[Settings, Files]) -> Settings:
    """The project without two of its shards."""
    settings, files = whole
    folder = index_folder(settings)
    for name in shards(files)[:2]:
        (folder / name).unlink(missing_ok=True)
    return settings


def index_folder(settings: Settings) -> Path:
    (passport,) = (settings.home / "indexes" / "passports").glob("*.json")
    return settings.home / "indexes" / json.loads(passport.read_text())["folder"]


def content(folder: Path) -> Files:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def shards(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("shards/"))


def build(settings: Settings, ray: FakeRay) -> Files:
    with Session(settings) as session:
        return content(session.build_index(RayShardEncoder(FakeCluster(ray), settings)).path)


def encodes(call: Call) -> bool:
    return call.method == "encode"


def test_nodes_encode_what_is_missing(damaged: Settings, whole: tuple[Settings, Files]) -> None:
    cluster = FakeRay()
    assert build(damaged, cluster) == whole[1]
    assert Counter(call.node for call in cluster.asked if encodes(call)) == {"a": 1, "b": 1}
    assert len(cluster.killed) == cluster.made == 2
    sent = [text for call in cluster.asked for text in call.arguments]
    assert not [text for text in sent if "sesame" in text]


def test_the_last_shard_of_a_lost_node_goes_to_one_that_was_done(
    damaged: Settings, whole: tuple[Settings, Files]
) -> None:
    cluster = FakeRay(lost=lambda call: encodes(call) and call.node == "b")
    assert build(damaged, cluster) == whole[1]
    assert [call.node for call in cluster.asked if encodes(call)] == ["a", "b", "a"]


def test_an_idle_node_may_be_lost_as_well(damaged: Settings, whole: tuple[Settings, Files]) -> None:
    cluster = FakeRay()
    cluster.lost = lambda call: encodes(call) and cluster.asked.index(call) > 4
    with pytest.raises(
        ClusterError, match=r"no node of the Ray cluster is left \(host .*, a\): RayError\); 1 shards"
    ):
        build(damaged, cluster)
    assert not [name for name in content(index_folder(damaged)) if name.endswith(".tmp")]
    asked = FakeRay()
    assert build(damaged, asked) == whole[1]
    assert len([call for call in asked.asked if encodes(call)]) == 1  # the other was kept


def test_what_goes_wrong_on_a_node_ends_the_build_and_names_it(
    damaged: Settings, whole: tuple[Settings, Files]
) -> None:
    def fails(call: Call) -> None:
        if encodes(call) and call.node == "b":
            raise ProbeError("an activation is infinite")

    cluster = FakeRay(before=fails)
    with pytest.raises(ProbeError, match=r"on the Ray node host .*, b\): an activation is infinite"):
        build(damaged, cluster)
    assert len(cluster.killed) == 2
    assert build(damaged, FakeRay()) == whole[1]


def test_an_interrupted_build_ends_its_actors_and_goes_on_later(
    damaged: Settings, whole: tuple[Settings, Files]
) -> None:
    cluster = FakeRay()

    def interrupted(call: Call) -> bool:
        if encodes(call) and call.node == "b":
            (index_folder(damaged) / "shards" / "half.safetensors.1234.tmp").write_bytes(b"half")
            raise KeyboardInterrupt
        return False

    cluster.late = interrupted
    with pytest.raises(KeyboardInterrupt):
        build(damaged, cluster)
    assert len(cluster.killed) == 2
    assert build(damaged, FakeRay()) == whole[1]


def test_two_builds_of_one_index_do_not_meet(damaged: Settings, whole: tuple[Settings, Files]) -> None:
    cluster = FakeRay()
    with building_in(index_folder(damaged)), pytest.raises(BusyError, match="is building the index"):
        build(damaged, cluster)
    assert not cluster.made
    assert build(damaged, cluster) == whole[1]


def test_loading_a_large_subject_is_not_waiting_for_a_node(
    damaged: Settings, whole: tuple[Settings, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_index, "ANSWER_SECONDS", 0.0)
    looks: Counter[str] = Counter()

    def loading(call: Call) -> bool:
        looks[call.method] += 1
        return call.method == "prepare" and looks["prepare"] < 10

    assert build(damaged, FakeRay(late=loading)) == whole[1]


def test_nodes_that_are_held_by_others_are_not_waited_for(
    damaged: Settings, whole: tuple[Settings, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_index, "ANSWER_SECONDS", 0.0)
    cluster = FakeRay(late=lambda call: call.method == "begin")
    with pytest.raises(SettingsError, match="others hold its CPUs"):
        build(damaged, cluster)
    assert len(cluster.killed) == 2
    half = FakeRay(late=lambda call: call.method == "begin" and call.node == "b")
    monkeypatch.setattr(ray_index, "ANSWER_SECONDS", 60.0)
    assert build(damaged, half) == whole[1]


def test_the_actors_of_a_node_share_its_cpus(damaged: Settings) -> None:
    cluster = FakeRay(cpus=8.0, gpus=4.0)
    build(damaged.model_copy(update={"threads": 8}), cluster)
    assert [o["num_cpus"] for o in cluster.options] == [2] * 8
    assert {o["num_gpus"] for o in cluster.options} == {1}
