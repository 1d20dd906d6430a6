"""The black-box benchmark: every arm, resumed, counted, tabled."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.black_box_table import MEASURES, figure, keys_of, markdown, rows_of, values
from benchmarks.black_box_trial import Finished, FunctionResult, Plan
from benchmarks.black_boxes import open_room, run
from glossator.agents.llm_calls.scripted_chat import Asked, Scripted, ScriptedChat
from glossator.memory.ledger import Ledger
from glossator.probes.black_boxes.generate import HiddenFunction, generate
from glossator.probes.black_boxes.kinds import Kind
from tests.agents.test_black_box_agent import answer_for

PLAN = Plan(rounds=2, shufflings=3)
KINDS = (Kind.STRING_SIMPLE, Kind.TEXT_TWO, Kind.TEXT_EXCEPTION)
ROOT = Path(__file__).resolve().parents[1]


def knowing(function: HiddenFunction, *, judge: str = "") -> ScriptedChat:
    def script(asked: Asked) -> Scripted:
        if asked.form == "choice_answer":
            return Scripted(judge or '{"option": 1}')
        return Scripted(answer_for(function))

    return ScriptedChat(script)


def tried(function: HiddenFunction, chat: ScriptedChat, home: Path) -> FunctionResult:
    with Ledger.open(home / "ledger.sqlite") as ledger:
        calls = open_room(chat, ledger, 2)
        (found,) = asyncio.run(run([function], calls, PLAN, Finished(home / "lines.jsonl")))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_all_arms_end_to_end(kind: Kind, tmp_path: Path) -> None:
    (function,) = generate(1, 1, [kind])
    found = tried(function, knowing(function), tmp_path)
    assert [a.arm for a in found.arms] == ["embedded", "random", "prior", "agent", "one_shot", "guess"]
    agent, shot, prior = found.arm("agent"), found.arm("one_shot"), found.arm("prior")
    assert agent is not None
    assert shot is not None
    assert prior is not None
    assert (agent.right, shot.right, prior.right) == (True, True, False)
    assert (agent.calls, shot.calls) == (2, 2)
    assert agent.by_code == 1
    assert agent.by_model == pytest.approx(1 / 3)  # a judge that always says 1
    assert agent.second_found is (True if kind is Kind.TEXT_TWO else None)
    assert agent.exception_found is (True if kind is Kind.TEXT_EXCEPTION else None)


def test_a_finished_function_is_not_asked_about_again(tmp_path: Path) -> None:
    (function,) = generate(1, 1, [Kind.STRING_SIMPLE])
    first = tried(function, knowing(function), tmp_path)
    again = knowing(function)
    assert tried(function, again, tmp_path) == first
    assert not again.requests
    (tmp_path / "lines.jsonl").write_text('{"torn', encoding="utf-8")
    from_the_ledger = knowing(function)
    assert tried(function, from_the_ledger, tmp_path).arms == first.arms
    assert not from_the_ledger.requests


def test_an_answer_that_lists_all_options_is_unscored_and_counted(tmp_path: Path) -> None:
    (function,) = generate(1, 1, [Kind.STRING_SIMPLE])
    found = tried(function, knowing(function, judge="options 1, 2 and 3; option 2"), tmp_path)
    agent = found.arm("agent")
    assert agent is not None
    assert agent.by_model in (None, pytest.approx(1 / 3))
    listing = tried(function, knowing(function, judge="1, 2, 3"), tmp_path / "other")
    agent = listing.arm("agent")
    assert agent is not None
    assert agent.by_model is None
    assert agent.unscored == {"judge: malformed answer": 3}
    assert "judge: malformed answer 3" in " ".join(row.note for row in rows_of([listing]))


def test_a_dead_model_is_unscored_not_wrong(tmp_path: Path) -> None:
    (function,) = generate(1, 1, [Kind.STRING_SIMPLE])
    found = tried(function, ScriptedChat(lambda asked: Scripted("")), tmp_path)
    agent = found.arm("agent")
    assert agent is not None
    assert (agent.right, agent.value, agent.by_code) == (None, None, None)
    assert values([found], "agent", MEASURES[0]) == [None]
    assert figure([None], share=True) is None
    keys = keys_of([found])
    assert "agent_right" not in keys
    assert keys["agent_unscored"] == {"empty answer": 2, "no answer at all": 1}
    assert "embedded_right" in keys


def test_tables_name_every_kind_and_pair_the_arms(tmp_path: Path) -> None:
    functions = generate(1, 3, KINDS)
    results = [tried(f, knowing(f), tmp_path / str(i)) for i, f in enumerate(functions)]
    table = markdown(results)
    assert all(kind.value in table for kind in KINDS)
    keys = keys_of(results)
    assert keys["agent_minus_one_shot_right"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 3}
    assert keys["agent_calls"] == keys["one_shot_calls"] == 6
    share = figure([1.0, 1.0, 1.0], share=True)
    assert share is not None
    assert share.low < 0.5  # Wilson: three right ones prove little


def test_the_command_prints_json_last(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "benchmarks.black_boxes", "--functions", "2", "--kinds",
        "string_simple,text_one",
        "--home", str(tmp_path), "--json",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    keys = json.loads(done.stdout.splitlines()[-1])
    assert keys["functions"] == 2
    assert keys["embedded_right"]["value"] == 1.0
    assert keys["model"] is None
