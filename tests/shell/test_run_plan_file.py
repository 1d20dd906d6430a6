"""Plan files: read, refused with the nearest name, swept, resumed, and under one budget."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from glossator import run_launch
from glossator.agents.llm_calls.budget import Limits
from glossator.cli import run
from glossator.errors import EndpointError, SettingsError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.records import RunSpending, RunState
from glossator.run_plan_file import left_of, read_plan_file
from glossator.session import Session
from glossator.settings import load_settings
from tests.shell.run_fixtures import ScriptedWork, install, ledger_of, own_ledger, standing_project


def written(folder: Path, text: str) -> Path:
    file = folder / "plan.toml"
    file.write_text(text)
    return file


def read(file: Path, **flags: object) -> Any:
    return read_plan_file(file, load_settings(flags, folder=file.parent, environment={}))


def test_settings_run_and_sweep_make_one_run_for_each_combination(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        subject = "./model"
        seed = 3
        [run]
        features = "0-9"
        depth = "investigate"
        budget = "2usd"
        [sweep]
        site = ["1.resid", "2.resid"]
        dictionary = ["a", "./b"]
        """,
    )
    plan = read(file, seed=7)
    assert plan.wish.depth.value == "investigate"
    assert [(s.settings.dictionary, s.settings.site) for s in plan.steps] == [
        ("a", "1.resid"), ("a", "2.resid"),
        (str(tmp_path / "./b"), "1.resid"), (str(tmp_path / "./b"), "2.resid"),
    ]  # fmt: skip
    assert plan.steps[0].words == "dictionary a, site 1.resid"
    assert {s.settings.seed for s in plan.steps} == {7}  # a flag stands above the file
    assert {s.settings.subject for s in plan.steps} == {str(tmp_path / "./model")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dictionry = 'a'\n[run]\nfeatures = 'all'", "did you mean 'dictionary'"),
        ("[run]\nfeatures = 'all'\nbugdet = '2usd'", "did you mean 'budget'"),
        ("[run]\nfeatures = 'all'\n[sweep]\ndictionaries = ['a']", "did you mean 'dictionary'"),
        ("[run]\nfeatures = 'all'\n[sweep]\nsite = '1.resid'", "write a list"),
        ("[run]\nfeatures = 'all'\n[sweep]\nsite = ['here']", "here"),
        ("[run]\nfeatures = 'all'\ndepth = 'deep'", "depth"),
        ("[run]\nfeatures = 'all'\nuntil = 'late'", "such as 07:00"),
        ("[run]\nfeatures = 'all'\nbudget = 'lots'", "such as 2usd"),
        ("[run]\nfeatures = 'all'\nsamples = 0", "samples"),
        ("[run]\nfeatures = 'all'\nsamples = 21", "samples"),
        ("[run]\nfeatures = 'all'\nworkers = 0", "workers"),
        ("[run]\nfeatures = 'all'\nworkers = 257", "workers"),
        ("[run]\ndepth = 'label'", "does not say 'features'"),
        ("seed = 1", "no table"),
        ("[run", "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, said: str) -> None:
    from glossator.errors import UserError

    with pytest.raises(UserError, match=said):
        read(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path / "none.toml")


def test_what_is_left_of_a_budget() -> None:
    spent = [
        RunSpending(calls=10, tokens=1000, usd=0.5, unaccounted_calls=2, unaccounted_usd=0.25),
        RunSpending(calls=5, tokens=500, usd=None),
    ]
    assert left_of("2usd,100calls,1Mtokens,2h", spent) == "1.25usd,998500tokens,83calls,7200s"
    assert left_of("17calls", spent) is None
    assert left_of("", spent) == ""
    assert left_of("2h", spent, 1800.25) == "5399.75s"
    assert left_of("2h", spent, 7200.0) is None


def test_a_remainder_that_buys_nothing_is_nothing() -> None:
    assert left_of("0.3usd", [RunSpending(usd=0.1), RunSpending(usd=0.2 - 1e-12)]) is None
    left = left_of("0.3usd", [RunSpending(usd=0.2999998)])
    assert left == "0.0000002usd"
    assert Limits.parse(left).usd == 2e-7


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return standing_project(tmp_path_factory.mktemp("project"))


def test_the_same_command_again_goes_on_with_what_is_unfinished(
    project: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    work, home = ScriptedWork(), tmp_path / "home"
    install(work, monkeypatch)
    flags = own_ledger(project, home)
    file = written(
        tmp_path,
        "[run]\nfeatures = '0-9'\norder = 'index'\n[sweep]\ndictionary = ['neurons:1', 'neurons:0']\n",
    )
    at = flags.index("--dictionary")
    plan = ["run", "plan", str(file), *flags[:at], *flags[at + 2 :]]
    assert run([*plan, "--dry"]) == 0
    assert "its index does not stand yet" in capsys.readouterr().err
    assert not work.did

    def fail_in_the_second(feature: int) -> None:
        with ledger_of(home) as ledger:
            if len(LabellingRunStore(ledger).all()) > 1:
                raise EndpointError("no answer")

    work.before = fail_in_the_second
    assert run(plan) == 5
    first = list(work.did)
    assert first
    work.before = lambda _: None
    capsys.readouterr()
    assert run(plan) == 0
    said = capsys.readouterr().err
    assert "was finished before" in said
    assert "was begun before and goes on" in said
    with ledger_of(home) as ledger:
        store = LabellingRunStore(ledger)
        assert [store.state(s.id) for s in store.all()] == [RunState.FINISHED, RunState.FINISHED]
        assert len({s.plan.names.dictionary for s in store.all()}) == 2
    did = len(work.did)
    assert run(plan) == 0
    assert run([*plan, "--dry"]) == 0
    assert len(work.did) == did


def test_the_workers_of_a_plan_may_live_on_a_cluster(
    project: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    install(ScriptedWork(), monkeypatch)
    home = tmp_path / "home"
    plan = ["run", "plan", str(written(tmp_path, "[run]\nfeatures = '0-9'\n")), *own_ledger(project, home)]
    assert run([*plan, "--ray", "127.0.0.1:9"]) == 2
    assert "ray start --head" in capsys.readouterr().err
    with ledger_of(home) as ledger:
        assert not LabellingRunStore(ledger).all()

    joined: list[str | None] = []

    @contextmanager
    def placement_on(ray: str | None, session: Session) -> Generator[None]:
        joined.append(ray)
        yield

    monkeypatch.setattr(run_launch, "placement_on", placement_on)
    assert run([*plan, "--dry", "--ray", "auto"]) == 0
    assert not joined
    assert run([*plan, "--ray", "auto"]) == 0
    assert joined == ["auto", "auto"]  # once to look at it before the run is ordered, once to work on it


def test_a_limit_on_time_is_for_all_runs_together(
    project: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    work, home = ScriptedWork(), tmp_path / "home"
    install(work, monkeypatch)
    work.before = lambda _: time.sleep(0.2)
    flags = own_ledger(project, home)
    at = flags.index("--dictionary")
    run_table = "[run]\nfeatures = '0-9'\nbudget = '0.3s'\n"
    file = written(tmp_path, f"{run_table}[sweep]\ndictionary = ['neurons:1', 'neurons:0']\n")
    plan = ["run", "plan", str(file), *flags[:at], *flags[at + 2 :], "--explainer", "m"]
    assert run([*plan, "--base-url", "http://127.0.0.1:1"]) == 1
    assert "(0.3s) was spent by the runs before" in capsys.readouterr().err
    with ledger_of(home) as ledger:
        assert len(LabellingRunStore(ledger).all()) == 1
