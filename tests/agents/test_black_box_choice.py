"""The multiple-choice test of descriptions."""

from __future__ import annotations

import asyncio

import pytest

from glossator.agents.black_box.choice import (
    OPTIONS,
    chosen_by_code,
    chosen_by_model,
    read_option,
    shuffled,
)
from glossator.agents.llm_calls.chat import ChatReply, Finish, Role, Unscored, UnscoredReason
from glossator.agents.llm_calls.scripted_chat import Asked, Scripted, ScriptedChat
from glossator.probes.black_boxes.box import Pair
from glossator.probes.black_boxes.generate import generate
from glossator.probes.black_boxes.look_alikes import look_alikes
from glossator.probes.black_boxes.numeric_form import NumericForm, Term
from tests.agents.call_room_fixtures import room

OWN = (Pair("abc", "cba"),)
OTHERS = ((Pair("abc", "ABC"),), (Pair("abc", "bcd"),))


@pytest.mark.parametrize(
    ("text", "option"),
    [('{"option": 2}', 1), ("2", 1), (" 3. ", 2), ("Option 1", 0),
     ('```json\n{"option": 3}\n```', 2), ("The answer is option 2", 1)],
)  # fmt: skip
def test_one_option_is_read(text: str, option: int) -> None:
    assert read_option(ChatReply(text)) == option


@pytest.mark.parametrize(
    "text",
    [
        "1, 2 or 3",
        "1 2 3",
        '{"option": 1} {"option": 2}',
        '{"option": 1, "option": 3}',
        "Option 1, option 2 and option 3 all fit",
        '{"option": 4}',
        '{"option": 0}',
        "list two of them, or 1, I could not say",
        "all of them",
    ],
)
def test_several_options_or_none_are_no_answer(text: str) -> None:
    found = read_option(ChatReply(text))
    assert isinstance(found, Unscored)
    assert found.reason is UnscoredReason.MALFORMED


def test_a_refusal_is_told_apart() -> None:
    found = read_option(ChatReply("I'm sorry, I cannot choose", Finish.STOP))
    assert isinstance(found, Unscored)
    assert found.reason is UnscoredReason.REFUSED


def test_three_turns_put_the_right_one_everywhere_once() -> None:
    for name in ("a", "b", "c"):
        turns = [shuffled(OWN, OTHERS, turn, name) for turn in range(OPTIONS)]
        assert sorted(t.right for t in turns) == [0, 1, 2]
        assert all(t.options[t.right] == OWN for t in turns)
    assert {shuffled(OWN, OTHERS, 0, str(n)).right for n in range(20)} == {0, 1, 2}


def test_a_judge_that_always_says_the_same_is_at_chance() -> None:
    chat = ScriptedChat(lambda asked: Scripted('{"option": 2}'))
    calls = room(chat, endpoints={Role.JUDGE: chat})

    async def ask() -> list[bool]:
        choices = [shuffled(OWN, OTHERS, turn, "a") for turn in range(OPTIONS)]
        return [await chosen_by_model("reverses the text", c, calls) == c.right for c in choices]

    assert sum(asyncio.run(ask())) == 1


def test_the_judge_sees_the_description_and_three_fenced_lists() -> None:
    def script(asked: Asked) -> Scripted:
        assert asked.claim == "reverses the text"
        (fits,) = [n for n, text in asked.windows.items() if text == "abc -> cba"]
        return Scripted(f'{{"option": {fits}}}')

    chat = ScriptedChat(script)
    calls = room(chat, endpoints={Role.JUDGE: chat})
    choice = shuffled(OWN, OTHERS, 1, "a")
    assert asyncio.run(chosen_by_model("reverses the text", choice, calls)) == choice.right


def test_code_chooses_by_executing_the_form() -> None:
    for function in generate(6, 20):
        shown = look_alikes(function)
        for turn in range(OPTIONS):
            choice = shuffled(shown.own, shown.others, turn, function.name)
            assert chosen_by_code(function.form, choice, turn) == choice.right


def test_a_form_of_nothing_is_at_chance() -> None:
    nothing = NumericForm(first=Term(family="constant", weights=(0.0,)))
    right = 0
    for number in range(60):
        choice = shuffled(OWN, OTHERS, number, "a")
        right += chosen_by_code(nothing, choice, number) == choice.right
    assert 10 <= right <= 30
