"""The LLM as reader: order, short last prompts, partial answers, long prompts, and how many at once."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import numpy as np
import pytest

from glossator.agents.llm_calls.chat import ChatReply, ChatRequest, Finish, Role, UnscoredReason
from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, ScriptedChat, always, verdicts
from glossator.agents.window_reading.calibration import (
    ClaimedWindows,
    choose_windows_per_prompt,
    cohens_kappa,
)
from glossator.agents.window_reading.reader import LlmReader, Readings
from glossator.errors import ModelAccessError
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.prompts.fence import marked
from tests.agents.call_room_fixtures import TinyChat, room, yes
from tests.agents.llm_scoring_fixtures import ORACLE, Bench, fits

TEXTS = [f"some words {'yes' if i % 3 else 'no'} and more of them {i}" for i in range(23)]
TRUTH = [1 if i % 3 else 0 for i in range(23)]


def read(
    script: Script, windows_per_prompt: int, *, context: int | None = None
) -> tuple[Readings, ScriptedChat]:
    bench = Bench(script, windows_per_prompt=windows_per_prompt, context=context)
    return asyncio.run(bench.bench.reader.detect("yes", TEXTS)), bench.chat


@pytest.mark.parametrize("size", [1, 4, 5, 10, 23, 40])
def test_every_window_gets_its_own_answer_also_in_a_short_last_prompt(size: int) -> None:
    readings, chat = read(ORACLE, size)
    assert readings.fires.tolist() == TRUTH
    assert len(chat.requests) == readings.calls == -(-23 // size)
    assert readings.prompt.name == ("detection_one" if size == 1 else "detection_many")
    assert set(readings.reasons) == {None}
    assert np.allclose(readings.probability, TRUTH, atol=1e-3)
    asked = [int(m) for r in chat.requests for m in re.findall(r"of them (\d+)\|", r.messages[-1].content)]
    assert asked == list(range(23)), "asked in the order given"


def test_nothing_to_read_asks_nothing() -> None:
    bench = Bench()
    readings = asyncio.run(bench.bench.reader.detect("yes", []))
    assert (len(readings), readings.calls, bench.chat.requests) == (0, 0, [])


def test_the_claim_comes_before_the_windows_and_both_are_fenced() -> None:
    bench = Bench()
    asyncio.run(bench.bench.reader.detect("about |bars|\nand lines", ["one\n2|two|2"]))
    question = bench.chat.requests[0].messages[-1].content
    assert question.index("C|about ¦bars¦⏎and lines|C") < question.index("1|one⏎2¦two¦2|1")


def test_marks_reach_the_model_and_forged_ones_do_not() -> None:
    bench = Bench()
    texts = [marked([" a", " w1", " <<w2>>"], [False, True, False])]
    asyncio.run(bench.bench.reader.fuzz("w1", texts))
    question = bench.chat.requests[0].messages[-1].content
    assert "1| a<< w1>> ‹‹w2››|1" in question


def test_one_missing_entry_leaves_the_others_scored() -> None:
    def forgetful(asked: Asked) -> Scripted:
        said = {str(i): int(fits(asked.claim or "", t)) for i, t in asked.windows.items() if i != 2}
        return Scripted(json.dumps(said))

    readings, _ = read(forgetful, 5)
    lost = [i for i in range(23) if i % 5 == 1]
    assert [i for i, r in enumerate(readings.reasons) if r is not None] == lost
    assert {readings.reasons[i] for i in lost} == {UnscoredReason.MISSING}
    assert all(readings.fires[i] == (-1 if i in lost else TRUTH[i]) for i in range(23))
    assert readings.answered.sum() == 23 - len(lost)


def test_a_refusal_is_no_answer_to_any() -> None:
    readings, chat = read(always("I cannot help with that.", Finish.REFUSAL), 5)
    assert set(readings.reasons) == {UnscoredReason.REFUSED}
    assert set(readings.fires.tolist()) == {-1}
    assert np.isnan(readings.probability).all()
    assert len(chat.requests) == 5, "a refusal is not asked again"


def test_a_prompt_that_is_too_long_is_halved_until_it_fits() -> None:
    whole, chat = read(ORACLE, 23)
    tokens = sum(-(-len(m.content) // 4) for m in chat.requests[0].messages)
    tight, chat = read(ORACLE, 23, context=tokens // 2 + 200)
    assert tight.fires.tolist() == whole.fires.tolist() == TRUTH
    assert tight.calls == len(chat.requests) > 1
    hopeless, chat = read(ORACLE, 4, context=60)
    assert set(hopeless.reasons) == {UnscoredReason.CONTEXT_TOO_SMALL}
    assert hopeless.calls == len(chat.requests) == 5 * (1 + 2 + 4) + (1 + 2 + 3 - 1)


def test_a_model_that_thinks_first_gets_room_to() -> None:
    def thinking(asked: Asked) -> Scripted:
        if asked.request.max_tokens < 500:
            return Scripted("<think>well, let me see, the first", finish=Finish.LENGTH)
        answer = ORACLE(asked)
        return Scripted("<think>well</think>\n" + answer.text)

    readings, chat = read(thinking, 5)
    assert readings.fires.tolist() == TRUTH
    assert readings.calls == len(chat.requests) == 10


def test_probabilities_are_asked_only_of_models_that_give_them() -> None:
    _, chat = read(ORACLE, 5)
    assert {r.top_logprobs for r in chat.requests} == {5}


def test_no_windows_per_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LlmReader(Bench().calls, 0)


def claimed() -> list[ClaimedWindows]:
    fires = np.array(TRUTH, dtype=bool)
    return [ClaimedWindows(claim, tuple(TEXTS), fires) for claim in ("yes", "yes yes")]


def losing_count(above: int) -> Script:
    """Right as long as there are few windows; with more than `above` it says 1 of all."""
    return lambda asked: verdicts(
        (lambda claim, text: True) if len(asked.windows) > above else fits
    )(asked)  # fmt: skip


@pytest.mark.parametrize(("above", "chosen"), [(100, 10), (5, 5), (1, 1)])
def test_the_prompt_size_is_the_largest_that_agrees_with_single_reading(above: int, chosen: int) -> None:
    bench = Bench(losing_count(above))
    choice = asyncio.run(choose_windows_per_prompt(bench.calls, claimed()))
    assert choice.windows_per_prompt == chosen
    assert [t.windows_per_prompt for t in choice.trials] == [1, 5, 10]
    assert choice.windows == 46
    assert choice.reader == bench.calls.model(Role.SCORER)
    assert choice.trials[0].agreement == choice.trials[0].accuracy == 1.0
    assert choice.trials[0].kappa == pytest.approx(1.0)
    if above == 5:
        assert choice.trials[2].agreement == pytest.approx(np.mean([*TRUTH[:20], 1, 1, 1]), abs=0.1)
        assert choice.trials[2].kappa is not None
        assert choice.trials[2].kappa < 0.6


def test_unusable_answers_count_against_a_prompt_size() -> None:
    def mute(asked: Asked) -> Scripted:
        return ORACLE(asked) if len(asked.windows) == 1 else Scripted("hm")

    choice = asyncio.run(choose_windows_per_prompt(Bench(mute).calls, claimed(), (1, 4)))
    assert choice.windows_per_prompt == 1
    assert choice.trials[1].unanswered == 46
    assert asyncio.run(choose_windows_per_prompt(Bench().calls, [])).windows_per_prompt == 1


def test_kappa_by_hand() -> None:
    first, second = np.array([1, 1, 0, 0, -1], np.int8), np.array([1, 0, 0, 0, 1], np.int8)
    assert cohens_kappa(first, second) == pytest.approx((0.75 - 0.5) / 0.5)
    assert cohens_kappa(first[:1], second[:1]) is None


def test_when_one_question_fails_the_answers_to_the_others_are_awaited_and_kept(tmp_path: Path) -> None:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if number == 0:
            raise ModelAccessError("the key was withdrawn")
        return yes(request, number)

    endpoint = TinyChat(answer, latency=lambda number: 0.2 * min(number, 1))
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:

        async def run() -> None:
            reader = LlmReader(room(endpoint, ledger), 1)
            with pytest.raises(ModelAccessError, match="withdrawn"):
                await reader.detect("ships", [f"text {i}" for i in range(8)])
            assert endpoint.in_flight == 0
            assert CallStore(ledger).count() == len(endpoint.requests) - 1 == 7

        asyncio.run(run())
