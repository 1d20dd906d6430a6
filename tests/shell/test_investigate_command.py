"""One feature and one request, from the command line and from Python, on a tiny subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glossator import Glossator
from glossator.agents.investigator import graph
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.progress import Progress
from glossator.agents.trace.trace import StepTrace
from glossator.cli import run
from glossator.errors import ProbeError, UnknownNameError
from glossator.records import TraceKind
from tests.shell.shell_fixtures import tiny_project


class Project:
    def __init__(self, folder: Path) -> None:
        self.flags = tiny_project(folder)
        self.folder = folder

    def call(self, *arguments: str) -> int:
        return run([*arguments, *self.flags])

    def settings(self) -> dict[str, Any]:
        names = [flag.removeprefix("--") for flag in self.flags[::2]]
        kept = dict(zip(names, self.flags[1::2], strict=True))
        return {**kept, "tokens": int(kept["tokens"]), "context": int(kept["context"])}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def firing(project: Project) -> int:
    """A feature that fires often enough to be explained, and not always."""
    with Glossator(**project.settings()) as g:
        density = g.session.index().statistics.density
    return int(next(i for i, d in enumerate(density.tolist()) if 0.02 < d < 0.4))


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def test_a_feature_is_investigated_once_and_found_again(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    feature = str(firing(project))
    assert project.call("investigate", feature, "--texts", "40", "--json") == 0
    first = capsys.readouterr()
    (found,) = lines(first.out)
    assert found["feature"]["index"] == int(feature)
    assert found["verdict"]["kind"] in ("accepted", "tentative", "abstained")
    assert found["experiments"], "it ran experiments"
    assert project.call("investigate", feature, "--texts", "40", "--json") == 0
    second = capsys.readouterr()
    assert lines(second.out) == [found]
    assert "before under these settings" in second.err
    assert project.call("evidence", found["experiments"][0]) == 0
    assert project.call("investigations", "show", found["investigation"]) == 0
    page = project.folder / "page.html"
    assert project.call("investigate", feature, "--texts", "40", "--out", str(page)) == 0
    assert "<html" in page.read_text()


def test_killed_at_a_step_it_goes_on_under_the_same_id(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = str(firing(project))

    async def broken(case: Case, progress: Progress, events: StepTrace) -> Progress:
        raise ProbeError("the subject fell over")

    with monkeypatch.context() as patched:
        patched.setitem(graph.STEPS, "challenge", broken)
        assert project.call("investigate", feature, "--rounds", "1", "--json") == 1
    assert "fell over" in capsys.readouterr().err
    with Glossator(**project.settings()) as g:
        from glossator.memory.investigation_store import InvestigationStore

        (stored,) = [s for s in InvestigationStore(g.session.ledger()).all() if s.state == "failed"]
        before = sum(e.kind is TraceKind.TOOL_CALL for e in g.events(stored.id))
    assert project.call("investigations", "resume", stored.id) == 0
    with Glossator(**project.settings()) as g:
        events = g.events(stored.id)
    assert events[-1].kind is TraceKind.FINISHED
    assert sum(e.step == "experiment-1" and e.kind is TraceKind.NODE for e in events) == 1
    assert sum(e.kind is TraceKind.TOOL_CALL for e in events) >= before


def test_a_request_in_words_goes_to_the_planner(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    feature = firing(project)
    request = f"on which tokens does feature {feature} fire?"
    assert project.call("investigate", request, "--no-llm", "--json") == 0
    (answer,) = lines(capsys.readouterr().out)
    assert answer["planner"] == "rules"
    assert answer["enough"]
    cited = [i for claim in answer["claims"] for i in claim["evidence"]]
    assert cited
    assert project.call("evidence", cited[0], "--rerun") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("investigate", "999999"), "numbered 0"),
        (("investigate", "  "), "empty"),
        (("investigate", "3", "--budget", "1usd"), "needs a model"),
        (("investigate", "other/dictionary/3"), "other"),
        (("investigations", "resume", "i-none"), "i-none"),
        (("evidence", "e-none"), "e-none"),
    ],
)
def test_bad_input_gets_a_message_and_exit_code_2(
    project: Project, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert project.call(*arguments) == 2
    assert said in capsys.readouterr().err


def test_python_results_show_themselves(project: Project) -> None:
    feature = firing(project)
    told: list[str] = []
    with Glossator(**project.settings()) as g:
        found = g.investigate(feature, on_event=lambda e: told.append(e.step), force=True)
        assert found.record.feature.index == feature
        assert str(feature) in repr(found)
        assert "<pre" in found._repr_html_()
        assert "observe" in told
        answer = g.ask(f"what is known of feature {feature}?", planner="rules")
        assert answer.record.claims
        again = g.ask("what are its neighbours?", planner="rules", continues=answer.id)
        assert again.record.request == "what are its neighbours?"
        shown = g.evidence(answer.record.claims[0].evidence[0])
        assert shown.record.id == answer.record.claims[0].evidence[0]
        assert g.rerun(shown.record.id).reproduced
        with pytest.raises(UnknownNameError, match="there is no feature"):
            g.investigate(10**6)
