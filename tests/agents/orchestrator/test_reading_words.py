"""Numbers in sentences, actions in replies, and requests as the rules read them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.agents.llm_calls.chat import ChatReply, ToolCall, Unscored
from glossator.agents.orchestrator.action import (
    CallTool,
    DraftClaim,
    Move,
    NoMove,
    drafted,
    prose_answer,
    read_arguments,
)
from glossator.agents.orchestrator.named_in_text import named_features, other_numbers
from glossator.agents.orchestrator.native_planner import read_calls
from glossator.agents.orchestrator.request_reading import Wish, read_request
from glossator.agents.orchestrator.schema_planner import read_action


@pytest.mark.parametrize(
    ("text", "features", "others"),
    [
        ("feature 812 fires on 0.4 % of tokens", (812,), [0.4]),
        ("features 1, 2 and 5", (1, 2, 5), []),
        ("Features 0-3 and feature #9", (0, 1, 2, 3, 9), []),
        ("feature 3 has 12 firings and 4 neighbours", (3,), [12, 4]),
        ("#7 against latents 8 or 9", (7, 8, 9), []),
        ("see e-0123456789ab and i-00112233", (), []),
        ("1,234 of 5,000 times, 1e-3 nats, −0.5", (), [1234, 5000, 0.001, -0.5]),
        ("features 5 to 100000", (5, 100000), []),
        ("gpt2 and F1 scores", (), []),
    ],
)
def test_features_and_other_numbers_are_told_apart(
    text: str, features: tuple[int, ...], others: list[float]
) -> None:
    assert named_features(text) == features
    assert [n.value for n in other_numbers(text)] == pytest.approx(others)


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    named_features(text)
    other_numbers(text)
    read_request(text)
    prose_answer(text)
    read_action(ChatReply(text))
    read_calls(ChatReply(text, tool_calls=(ToolCall("answer", text),)))


def said(**fields: object) -> ChatReply:
    return ChatReply(json.dumps(fields))


def test_small_slips_of_models_are_forgiven() -> None:
    whole = Move((CallTool("feature_card", {"feature": 3}),))
    assert read_action(said(tool="feature_card", arguments='{"feature": 3}')) == whole
    assert read_action(said(tool=" feature_card", arguments={"feature": 3}, note="extra")) == whole
    fenced = ChatReply('Sure!\n```json\n{"tool": "feature_card", "arguments": "{\\"feature\\": 3}",}\n```')
    assert read_action(fenced) == whole
    empty = read_action(said(tool="list", arguments=""))
    assert isinstance(empty, Move)
    assert empty.calls == (CallTool("list", {}),)


def test_what_cannot_be_used_says_why() -> None:
    broken = read_action(said(tool="feature_card", arguments="feature=3"))
    assert broken == NoMove("the arguments of feature_card must be one JSON object in a text, such as {}")
    assert isinstance(read_action(ChatReply("no idea")), Unscored)
    assert read_arguments("[1]") is None


def test_citations_leave_the_text_of_a_claim() -> None:
    [first, second] = drafted(
        [("feature 3 fires (F1, F2).", ["F4", "fact F5"]), ("see [evidence e-0123456789ab]: so", [])]
    )
    assert first == DraftClaim("feature 3 fires.", ("F4", "F5", "F1", "F2"))
    assert second == DraftClaim("see: so", ("e-0123456789ab",))
    prose = prose_answer("Here is what I found:\n- feature 3 fires on law (F1)\n- it is rare [F2, F3]\n")
    assert prose is not None
    assert prose.claims == (
        DraftClaim("feature 3 fires on law", ("F1",)),
        DraftClaim("it is rare", ("F2", "F3")),
    )
    assert prose_answer("nothing cited here") is None


def test_native_calls_are_read() -> None:
    two = ChatReply("hm", tool_calls=(ToolCall("a", '{"x": 1}'), ToolCall("b", "")))
    assert read_calls(two) == Move((CallTool("a", {"x": 1}), CallTool("b", {})), thought="hm")
    early = ChatReply(
        "", tool_calls=(ToolCall("a", "{}"), ToolCall("answer", '{"claims": [], "enough": true}'))
    )
    assert read_calls(early) == Move((CallTool("a", {}),)), "an answer beside calls did not see their results"
    assert isinstance(read_calls(ChatReply("", tool_calls=(ToolCall("a", '{"x"'),))), NoMove)
    assert isinstance(read_calls(ChatReply("", tool_calls=(ToolCall("answer", '{"claims": [3]}'),))), NoMove)
    as_text = read_calls(said(tool="a", arguments='{"x": 1}'))
    assert as_text == Move((CallTool("a", {"x": 1}),)), "an action written as text counts"


@pytest.mark.parametrize(
    ("request_text", "wishes", "features", "quoted", "topic"),
    [
        ("compare 812 and 1207", {Wish.COMPARE}, (812, 1207), (), ""),
        ("which features fire on legal language?", {Wish.MEANING}, (), (), "legal language"),
        ("steer feature 3 on “I think”", {Wish.STEER}, (3,), ("I think",), ""),
        ("show me 10 examples of feature 5", {Wish.WINDOWS}, (5,), (), ""),
        ("train a probe for the concept of anger", {Wish.PROBE, Wish.DISCOVER}, (), (), "anger"),
        ("what is the weather?", {Wish.MEANING}, (), (), ""),
        ("features about 'rm -rf' and code", {Wish.MEANING}, (), ("rm -rf",), ""),
    ],
)
def test_requests_are_read(
    request_text: str, wishes: set[Wish], features: tuple[int, ...], quoted: tuple[str, ...], topic: str
) -> None:
    reading = read_request(request_text)
    assert reading.wishes >= wishes
    assert reading.features == features
    assert reading.quoted == quoted
    assert reading.topic.startswith(topic)
    assert bool(reading.topic) >= bool(topic)
