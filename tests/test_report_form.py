from __future__ import annotations

import json

import pytest

from benchmarks.report_form import Row, emit


def test_last_line_is_the_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    emit(
        "title",
        [Row("speed", "2.5 ×", "bar 2")],
        {"ratio": 2.5, "none": None},
        as_json=True,
        packages=("numpy",),
    )
    lines = capsys.readouterr().out.splitlines()
    last = json.loads(lines[-1])
    assert (last["ratio"], last["none"]) == (2.5, None)
    assert last["machine"]["cores"] >= 1
    assert last["machine"]["versions"]["numpy"].count(".") >= 1
    assert any("speed" in line and "2.5 ×" in line and "bar 2" in line for line in lines)


def test_table_alone_holds_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit("title", [Row("speed", "1")], {"ratio": 1}, as_json=False, packages=("no-such-distribution",))
    out = capsys.readouterr().out
    assert "no-such-distribution absent" in out
    assert "{" not in out
