"""`glossator run`: ordered, conducted in this process, watched, paused, gone on with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from glossator.cli import run
from glossator.errors import EndpointError
from glossator.memory.imported_store import store_imported
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.work_queue import WorkQueue
from glossator.records import (
    FeatureNames,
    ImportedLabel,
    ItemState,
    RunEventKind,
    RunStatus,
)
from tests.memory.test_kept_cards import accepted
from tests.shell.run_fixtures import (
    FEATURES,
    ScriptedWork,
    kinds,
    latest,
    ledger_of,
    lines,
)


def test_a_run_is_conducted_to_its_end_and_stands_in_its_status_file(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "start", "--features", FEATURES, *flags]) == 0
    (said,) = lines(capsys)
    status = RunStatus.model_validate(said)
    assert status.state.value == "finished"
    assert status.counts.total == 10
    assert status.counts.done == len(work.did) > 0
    assert status.counts.done + status.counts.skipped == 10
    written = RunStatus.model_validate_json((home / "runs" / status.run / "status.json").read_text())
    assert written.counts == status.counts
    assert written.seconds_left == 0.0
    assert written.will_finish == status.counts.done
    assert sum(written.score_deciles) == status.counts.done
    assert kinds(home, status.run)[0] is RunEventKind.STARTED
    assert kinds(home, status.run).count(RunEventKind.FINISHED) == 1

    assert run(["run", "status", status.run[:5], "--json", *flags]) == 0
    assert lines(capsys)[0]["counts"]["done"] == status.counts.done
    assert run(["run", "watch", *flags]) == 0
    assert "finished" in capsys.readouterr().out
    assert run(["run", "list", *flags]) == 0
    assert [one["run"] for one in lines(capsys)] == [status.run]


def test_what_was_labelled_before_is_skipped_with_its_card_unless_forced(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "start", "--features", FEATURES, *flags]) == 0
    first, did = latest(home), len(work.did)
    assert run(["run", "start", "--features", FEATURES, *flags]) == 0
    assert len(work.did) == did
    with ledger_of(home) as ledger:
        again = next(s.id for s in LabellingRunStore(ledger).all() if s.id != first)
        items = list(WorkQueue(ledger, again).items())
    skipped = [i for i in items if first in i.reason]
    assert len(skipped) == did
    assert all(i.state is ItemState.SKIPPED and i.card for i in skipped)
    assert run(["run", "start", "--features", FEATURES, "--force", *flags]) == 0
    assert len(work.did) == 2 * did


def test_an_endpoint_that_fails_ends_it_with_5_and_resume_goes_on(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails_later(feature: int) -> None:
        if len(work.did) >= 2:
            raise EndpointError("the endpoint of 'm' gave no answer")

    work.before = fails_later
    assert run(["run", "start", "--features", FEATURES, *flags]) == 5
    identity = latest(home)
    said = capsys.readouterr().err
    assert "gave no answer" in said
    assert f"glossator run resume {identity}" in said

    assert run(["run", "start", "--features", FEATURES, *flags]) == 2
    assert f"run resume {identity}" in capsys.readouterr().err
    work.before = lambda _: None
    assert run(["run", "resume", "--until", "+8h", *flags]) == 0
    status = RunStatus.model_validate(lines(capsys)[-1])
    assert status.counts.left == 0
    assert status.until
    assert len(set(work.did)) == len(work.did) == status.counts.done


def test_the_time_ordered_is_kept(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work.before = lambda _: time.sleep(0.4)
    assert run(["run", "start", "--features", "0-39", "--until", "+2s", *flags]) == 1
    assert "time ordered" in capsys.readouterr().err
    assert run(["run", "resume", *flags]) == 2
    assert "--until LATER" in capsys.readouterr().err
    work.before = lambda _: None
    assert run(["run", "resume", "--until", "never", *flags]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "--features", "9-2"], "backwards"),
        (["start", "--features", "random:x"], "random:500"),
        (["start", "--features", "99999"], "there is no feature"),
        (["start", "--features", "0", "--depth", "deep"], "'investigate', 'label'"),
        (["start", "--features", "0", "--order", "best"], "'promising'"),
        (["start", "--features", "0", "--until", "25:00"], "such as 07:00"),
        (["start", "--features", "0", "--until", "2020-01-01T07:00"], "is over"),
        (["start", "--features", "0", "--until", "+9999999d"], "such as 07:00"),
        (["start", "--features", "0", "--budget", "2usd"], "needs a model"),
        (["start", "--features", "0", "--labels-from", "nobody"], "no labels by 'nobody'"),
        (["status"], "there is no labelling run yet"),
        (["watch", "r-1"], "there is no labelling run yet"),
        (["resume"], "there is no labelling run yet"),
        (["pause"], "there is no labelling run yet"),
        (["retry-failed"], "there is no labelling run yet"),
    ],
)
def test_what_cannot_be_meant(
    work: ScriptedWork, flags: list[str], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", *arguments, *flags]) == 2
    assert said in capsys.readouterr().err


def test_a_report_is_written_at_the_end_and_again_when_asked(
    work: ScriptedWork, flags: list[str], home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "start", "--features", FEATURES, *flags]) == 0
    first, folder = latest(home), home / "runs" / latest(home)
    assert {"report.html", "report.md", "status.json"} <= {p.name for p in folder.iterdir()}
    assert run(["run", "start", "--features", FEATURES, "--force", *flags]) == 0
    capsys.readouterr()
    out = tmp_path / "out"
    command = ["run", "report", first, "--out", str(out), "--export", "csv", "--compare"]
    with ledger_of(home) as ledger:
        other = next(s.id for s in LabellingRunStore(ledger).all() if s.id != first)
    assert run([*command, other, *flags]) == 0
    said = capsys.readouterr()
    assert "report.html" in said.out
    assert other in (out / "report.md").read_text()
    assert list((out / "csv").glob("*.csv"))
    assert run(["run", "report", first, "--json", *flags]) == 0
    assert lines(capsys)[0]["run"] == first


def test_reports_that_cannot_be_meant(
    work: ScriptedWork, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "start", "--features", "0", *flags]) == 0
    capsys.readouterr()
    out = tmp_path / "out"
    (out / "csv").mkdir(parents=True)
    (out / "csv" / "thesis.txt").write_text("precious")
    for arguments, said in (
        (["--export", "csv", "--out", str(out)], "no export of Glossator"),
        (["--out", str(out / "csv" / "thesis.txt")], "is a file"),
        (["--export", "xml"], "'neuronpedia'"),
        (["--compare", "r-none"], "there is no labelling run 'r-none'"),
        (["r-none"], "there is no labelling run 'r-none'"),
    ):
        assert run(["run", "report", *arguments, *flags]) == 2
        assert said in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["csv"]


def test_labels_of_others_are_scored_by_a_run(
    project: list[str], flags: list[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    own = accepted("tiny-llama", "1-neurons", 4)
    with ledger_of(home) as ledger:
        labels = [
            ImportedLabel(feature=i, text=f"the word river {i}", author="them:model", source="x")
            for i in range(6)
        ]
        store_imported(ledger, FeatureNames("tiny-llama", "1-neurons"), labels)
        ledger.save_card(ledger.start_run("label", {}), own)
    assert run(["run", "start", "--features", FEATURES, "--labels-from", "them:model", *flags]) == 0
    (said,) = lines(capsys)
    assert said["skipped"]["no label by them:model"] > 0
    with ledger_of(home) as ledger:
        done = [i for i in WorkQueue(ledger, said["run"]).items() if i.state is ItemState.DONE]
        assert own.feature in [item.feature for item in done]
        for item in done:
            card = ledger.latest_card(item.feature)
            if item.feature == own.feature:
                assert card == own
                (card,) = (stored.card for stored in ledger.cards_by_id([item.card or ""]))
            assert card is not None
            assert card.explanation is not None
            assert card.explanation.text == f"the word river {item.feature.index}"


class Gone:
    """A terminal that was closed, or a log whose disk is full."""

    def write(self, text: str) -> int:
        raise BrokenPipeError("nobody reads")

    def flush(self) -> None:
        raise BrokenPipeError("nobody reads")


def test_a_run_goes_on_though_nobody_hears_it(
    work: ScriptedWork, flags: list[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.before = lambda feature: monkeypatch.setattr("sys.stderr", Gone())
    told = tmp_path / "told"
    assert run(["run", "start", "--features", FEATURES, *flags, "--notify", f"touch {told}"]) == 0
    assert kinds(home, latest(home))[-2:] == [RunEventKind.WORKER_ENDED, RunEventKind.NOTIFIED]
    assert told.exists()
    status = RunStatus.model_validate_json((home / "runs" / latest(home) / "status.json").read_text())
    assert status.state.value == "finished"
