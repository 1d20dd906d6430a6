"""Replies of every form that models give, read example by example."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from glossator.agents.llm_calls.answer_parsing import (
    ReadVerdict,
    choice_schema,
    read_choice,
    read_json,
    read_verdicts,
    schema_of,
    verdict_schema,
)
from glossator.agents.llm_calls.chat import (
    AnswerToken,
    ChatReply,
    Finish,
    TokenLogprob,
    Unscored,
    UnscoredReason,
)
from glossator.records.base import Record

MALFORMED, MISSING = UnscoredReason.MALFORMED, UnscoredReason.MISSING
CUT, EMPTY, REFUSED = UnscoredReason.CUT, UnscoredReason.EMPTY, UnscoredReason.REFUSED


def verdicts(text: str, n: int, finish: Finish = Finish.STOP) -> list[int | UnscoredReason] | UnscoredReason:
    """1, 0 or a reason for each example; one reason where there is no answer at all."""
    read = read_verdicts(ChatReply(text, finish), n)
    if isinstance(read, Unscored):
        return read.reason
    assert len(read) == n
    assert all((v.fires is None) == (v.reason is not None) for v in read)
    return [v.reason if v.fires is None and v.reason else int(bool(v.fires)) for v in read]


@pytest.mark.parametrize(
    "text",
    [
        '{"1": 1, "2": 0, "3": 1}',
        '{"1":true,"2":false,"3":true}',
        "{1: True, 2: False, 3: True}",
        "{'1': '1', '2': '0', '3': '1',}",
        '{\n  "1": "yes",\n  "2": "no",\n  "3": "yes"\n}',
        '```json\n{"1": 1, "2": 0, "3": 1}\n```',
        'Sure! Here it is:\n```\n{"1": 1, "2": 0, "3": 1}\n```\nHope this helps [1].',
        '{"answers": {"1": 1, "2": 0, "3": 1}}',
        '{"answers": [1, 0, 1]}',
        '{"window 1": 1, "window 2": 0, "window_3": 1}',
        '{"1": {"fires": 1}, "2": {"fires": 0}, "3": {"fires": true}}',
        '[{"window": 1, "fires": 1}, {"window": 2, "fires": 0}, {"window": 3, "fires": 1}]',
        '["1": 1, "2": 0, "3": 1]',
        "[1, 0, 1]",
        "[True, False, True]",
        "[\n  true,\n  false,\n  true\n]",
        "[1 0 1]",
        "The answer is [1, 0, 1].",
        "1, 0, 1",
        "101 windows were read.\n1 0 1",
        "yes\nno\nyes",
        "1: 1\n2: 0\n3: 1",
        "1. yes\n2. no\n3. yes",
        "1) True\n2) False\n3) True",
        "Example 1: 1\nExample 2: 0\nExample 3: 1",
        "- Window 1: Yes, it does\n- Window 2: No (nothing)\n- Window 3: Yes.",
        "**1**: 1\n**2**: 0\n**3**: 1",
        "**1.** Yes\n**2.** No\n**3.** Yes",
        "1 -> 1\n2 -> 0\n3 -> 1",
        "1 1\n2 0\n3 1",
        "1|1|1\n2|0|2\n3|1|3",
        "1. a cat is mentioned: yes\n2. only dogs -> no\n3. two cats = 1",
        '<think>I see [0, 0, 0] and {"1": 0}</think>[1, 0, 1]',
        'I compare [0, 0, 0] first.</think>\n{"1": 1, "2": 0, "3": 1}',
        "[THINK]0 0 0[/THINK]1, 0, 1",
        '<think>hm, {"1": 0, "2": 0, "3": 0} or rather {"1": 1, "2": 0, "3": 1}',
        'The form is {"1": …, "2": …}. So: {"1": 1, "2": 0, "3": 1}',
        '{"1": 0, "2": 0, "3": 0}\nWait, that is wrong:\n{"1": 1, "2": 0, "3": 1}',
        '{"1": 1, "2": 0, "3": 1, "4": 0}',
        '{"3": 1, "2": 0, "1": 1}',
        '{"1": 1.0, "2": 0.0, "3": 1.0}',
        '{"1": 1, "2": 0, "3": 1',
    ],
)
def test_forms_of_a_whole_answer(text: str) -> None:
    assert verdicts(text, 3) == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "n", "read"),
    [
        ('{"1": 1, "3": 0}', 3, [1, MISSING, 0]),
        ('{"1": 1, "2": "maybe", "3": 0}', 3, [1, MALFORMED, 0]),
        ('{"1": 1, "2": , "3": 0}', 3, [1, MALFORMED, 0]),
        ('{"1": 1, "2": null, "3": 0}', 3, [1, MALFORMED, 0]),
        ('{"1": 1, "2": 2, "3": 0}', 3, [1, MALFORMED, 0]),
        ('{"1": 1, "1": 0, "2": 0}', 2, [MALFORMED, 0]),
        ("[1, maybe, 0]", 3, [1, MALFORMED, 0]),
        ("1. yes\n3. no", 3, [1, MISSING, 0]),
        ("1. yes\n2. it depends\n3. no", 3, [1, MALFORMED, 0]),
        ("[1, 0]", 3, MALFORMED),
        ("[1, 0, 1, 1]", 3, MALFORMED),
        ("1 0 1 1", 3, MALFORMED),
        ('{"0": 1, "1": 0, "2": 1}', 3, MALFORMED),
        ('{"one": 1, "two": 0}', 2, MALFORMED),
        ("1. The window mentions a bank.\n2. No windows here mention one.", 2, MALFORMED),
        ("Il n'y a rien à dire de ces fenêtres.", 3, MALFORMED),
        ("これは猫です。", 2, MALFORMED),
        ("See windows [1] and [2].", 3, MALFORMED),
        ("", 3, EMPTY),
        (" \n ", 3, EMPTY),
        ("<think>Let me see</think>", 3, EMPTY),
        ("<think>Let me see, [1] is odd", 3, EMPTY),
        ("I'm sorry, but I can't help with that.", 3, REFUSED),
        ("As an AI language model, I do not judge texts.", 1, REFUSED),
        ("Unfortunately, I cannot judge these windows.", 2, REFUSED),
    ],
)
def test_partly_broken_answers(text: str, n: int, read: object) -> None:
    assert verdicts(text, n) == read


@pytest.mark.parametrize(
    ("text", "n", "read"),
    [
        ('{"1": 1, "2": 0, "3"', 4, [1, 0, CUT, CUT]),
        ('{"1": 1, "2": t', 2, [1, CUT]),
        ("[1, 0, 1", 5, [1, 0, 1, CUT, CUT]),
        ("[1, 0]", 3, CUT),
        ("1. yes\n2. no\n3.", 4, [1, 0, CUT, CUT]),
        ("<think>Window 1 says", 2, CUT),
        ("Let us look at the first window, which", 1, CUT),
        ("I'm sorry, but", 1, REFUSED),
        ("", 1, CUT),
    ],
)
def test_answers_cut_at_the_token_limit(text: str, n: int, read: object) -> None:
    assert verdicts(text, n, Finish.LENGTH) == read


@pytest.mark.parametrize(
    ("text", "fires"),
    [
        ("1", 1), ("0", 0), (" 1\n", 1), ("1.", 1), ("**0**", 0), ("`1`", 1), ('"0"', 0), ("1.0", 1),
        ("0.0", 0), ("Yes", 1), ("No.", 0), ("no, because it lacks a verb", 0), ("True", 1),
        ("1 (it fits)", 1),
        ("1\n\nExplanation: the window has 0 numbers.", 1), ("Answer: 0", 0), ("The answer is **1**.", 1),
        ("The window is about cats. The claim says dogs.\n0", 0), ('{"1": 0}', 0), ('{"answer": 1}', 1),
        ('{"fires": false}', 0), ("[1]", 1), ("```\n0\n```", 0), ("<think>1? no.</think>0", 0), ("1: 1", 1),
        ("I thought 1 at first.\nVerdict: no", 0), ("1|0|1", 0),
    ],
)  # fmt: skip
def test_one_example(text: str, fires: int) -> None:
    assert verdicts(text, 1) == [fires]


@pytest.mark.parametrize(
    "text",
    [
        "1|The cat sat on the mat|1",
        "1. The window does not mention a cat",
        "No window was given to me",
        "10",
        "2",
        "0.5",
        "As window [1] shows, no cat is there",
        "maybe",
        "The claim fits",
    ],
)
def test_one_example_is_not_guessed(text: str) -> None:
    assert verdicts(text, 1) == MALFORMED


def test_a_filtered_answer_is_a_refusal_whatever_it_says() -> None:
    assert verdicts('{"1": 1}', 1, Finish.REFUSAL) == REFUSED


FORMS = [
    lambda v: json.dumps({str(i): x for i, x in enumerate(v, 1)}),
    lambda v: str([bool(x) for x in v]),
    lambda v: json.dumps(v, indent=1),
    lambda v: "\n".join(f"{i}. {'yes' if x else 'no'}" for i, x in enumerate(v, 1)),
    lambda v: "\n".join(f"Example {i}: {x}" for i, x in enumerate(v, 1)),
]
AROUND = [
    ("", ""),
    ("Sure.\n```json\n", "\n```"),
    ("<think>[1, 0] hm</think>\n", "\n"),
    ("Here:\n", "\n\nDone."),
]


@given(
    truth=st.lists(st.integers(0, 1), min_size=2, max_size=30),
    form=st.sampled_from(FORMS),
    around=st.sampled_from(AROUND),
)
def test_what_was_meant_is_read(truth: list[int], form: object, around: tuple[str, str]) -> None:
    assert callable(form)
    assert verdicts(around[0] + str(form(truth)) + around[1], len(truth)) == truth


@given(
    truth=st.lists(st.integers(0, 1), min_size=2, max_size=12),
    cut=st.integers(0, 200),
)
def test_a_cut_object_never_gives_a_wrong_verdict(truth: list[int], cut: int) -> None:
    whole = json.dumps({str(i): x for i, x in enumerate(truth, 1)})
    read = verdicts(whole[:cut], len(truth), Finish.LENGTH)
    if isinstance(read, list):
        assert all(r == t for r, t in zip(read, truth, strict=True) if isinstance(r, int))
        assert all(r == CUT for r in read if not isinstance(r, int))


@settings(max_examples=300)
@given(text=st.text(alphabet='01{}[]":,.-|<>/\n \tyesnotrufalhik*`1', max_size=200), n=st.integers(1, 6))
def test_anything_at_all_is_read_or_unscored(text: str, n: int) -> None:
    verdicts(text, n)
    read_choice(ChatReply(text), n)
    read_json(ChatReply(text), Told)


RUBBISH = [
    "[", "{", "]", "}", "{1:", '{"1":1}', "[1,", "[1]", "1\n", "1. ", "1.: ", "1. - - 1! ", "yes ",
    "Answer: ", "<think>", "</think>", "```", "\n", "-> ", "I'm sorry ", '"', '{"a":', "[[1,0],", "window 1 ",
    "0", "1|", "1 ", "*", "Blah blah, the window says so. ",
]  # fmt: skip


@pytest.mark.parametrize("piece", RUBBISH)
def test_a_megabyte_of_rubbish_takes_no_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    tokens = tuple(AnswerToken(piece, -0.1, ()) for _ in range(1000))
    for finish in (Finish.STOP, Finish.LENGTH):
        reply = ChatReply(text, finish, tokens=tokens)
        begun = time.process_time()
        read_verdicts(reply, 5)
        read_verdicts(reply, 1)
        read_json(reply, Told)
        read_choice(reply, 5)
        assert time.process_time() - begun < 20.0, f"{piece!r}: four readings, each call checked for types"


def token(text: str, **alternatives: float) -> AnswerToken:
    """A token with the probabilities of its alternatives."""
    listed = tuple(TokenLogprob(t, math.log(p)) for t, p in alternatives.items())
    return AnswerToken(text, math.log(alternatives.get(text, 0.9)), listed)


def each(reply: ChatReply, n: int) -> tuple[ReadVerdict, ...]:
    """The verdicts of a reply that has some."""
    read = read_verdicts(reply, n)
    assert not isinstance(read, Unscored)
    return read


def test_probability_at_the_verdicts_own_token() -> None:
    sure = token("1", **{"1": 0.6, "0": 0.2, "2": 0.2})
    torn = token(" 0", **{" 0": 0.5, " 1": 0.125, " no": 0.25, " yes": 0.125})
    tokens = (*map(token, ('{"', "1", '":', " ")), sure, *map(token, (', "', "2", '":')), torn, token("}"))
    reply = ChatReply('{"1": 1, "2": 0}', tokens=tokens)
    first, second = each(reply, 2)
    assert first.probability == pytest.approx(0.75)
    assert second.probability == pytest.approx(0.25)


def test_probability_after_thinking_and_stripped_space() -> None:
    tokens = (
        token("\n"),
        token("<think>"),
        token("1"),
        token("</think>"),
        token(" Yes", **{" Yes": 0.8, " No": 0.2}),
    )
    (read,) = each(ChatReply("<think>1</think> Yes", tokens=tokens), 1)
    assert read.fires
    assert read.probability == pytest.approx(0.8)


def test_no_probability_without_tokens_or_with_others() -> None:
    for tokens in ((), (token("x"),), (token("1 fits", **{"1 fits": 0.5}),)):
        (read,) = each(ChatReply("1", tokens=tokens), 1)
        assert read.probability is None


def test_probability_of_a_token_that_is_not_among_its_alternatives() -> None:
    tokens = (AnswerToken("1", math.log(0.3), (TokenLogprob("0", math.log(0.1)), TokenLogprob("a", -0.5))),)
    (read,) = each(ChatReply("1", tokens=tokens), 1)
    assert read.probability == pytest.approx(0.75)


class Told(Record):
    label: str
    predicate: str = ""


class Row(Record):
    window: int
    strength: int = Field(ge=1, le=10)


class Rows(Record):
    predictions: tuple[Row, ...]


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "cats", "predicate": ""}',
        'Sure:\n```json\n{"label": "cats", "predicate": "",}\n```',
        '<think>{"label": "dogs"}</think>{"label": "cats"}',
        '{"label": "cats", "predicate": null, "confidence": 0.9}',
        'I would use {braces} here.\n{"label": "cats"}',
        '{"label": "x"} no: {"label": "cats"}',
    ],
)
def test_records_out_of_replies(text: str) -> None:
    assert read_json(ChatReply(text), Told) == Told(label="cats")


def test_records_with_small_slips() -> None:
    nested = read_json(ChatReply('{"label": "a\nb", "predicate": {"kind": "not"}}'), Told)
    assert nested == Told(label="a\nb", predicate='{"kind": "not"}')
    bare = read_json(ChatReply('[{"window": 1, "strength": 3, "why": "x"}]'), Rows)
    assert bare == Rows(predictions=(Row(window=1, strength=3),))


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("", Finish.STOP, EMPTY),
        ("cats", Finish.STOP, MALFORMED),
        ('{"name": "cats"}', Finish.STOP, MALFORMED),
        ('{"label": "ca', Finish.LENGTH, CUT),
        ("I'm sorry, I can't.", Finish.STOP, REFUSED),
        ('{"label": "cats"}', Finish.REFUSAL, REFUSED),
        ("[" * 5000, Finish.STOP, MALFORMED),
        ('{"a":' * 5000, Finish.STOP, MALFORMED),
    ],
)
def test_records_that_are_none(text: str, finish: Finish, reason: UnscoredReason) -> None:
    read = read_json(ChatReply(text, finish), Told)
    assert isinstance(read, Unscored)
    assert read.reason is reason
    assert "cats" not in read.detail


@pytest.mark.parametrize(
    "text",
    [
        '{"odd": 3}',
        "3",
        "**3**",
        "Window 3",
        'Windows share 2 words.\n{"odd": "3"}',
        "The odd one is 3.",
        "Answer: window 3",
    ],
)
def test_a_choice(text: str) -> None:
    assert read_choice(ChatReply(text), 5) == 3


@pytest.mark.parametrize("text", ['{"odd": 9}', '{"odd": 0}', "2 or 3", "the last", "3.5", '{"odd": null}'])
def test_no_choice(text: str) -> None:
    read = read_choice(ChatReply(text), 5)
    assert isinstance(read, Unscored)
    assert read.reason is MALFORMED


def test_schemas_are_strict() -> None:
    assert verdict_schema(2).schema == {
        "type": "object",
        "properties": {i: {"type": "integer", "enum": [0, 1]} for i in ("1", "2")},
        "required": ["1", "2"],
        "additionalProperties": False,
    }
    assert choice_schema(3).schema["properties"] == {"odd": {"type": "integer", "enum": [1, 2, 3]}}
    told = schema_of(Told)
    assert told.name == "told"
    assert told.schema == {
        "type": "object",
        "properties": {"label": {"type": "string"}, "predicate": {"type": "string"}},
        "required": ["label", "predicate"],
        "additionalProperties": False,
    }
    inner = schema_of(Rows).schema["$defs"]
    assert isinstance(inner, dict)
    assert isinstance(inner["Row"], dict)
    assert inner["Row"]["additionalProperties"] is False
