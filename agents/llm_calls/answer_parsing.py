"""What a reply says, whatever form it was given: verdicts on examples, a choice, or a JSON record.

Models that cannot be held to a schema answer in lists, objects, lines and prose, think aloud first, stop
half way, refuse. Each example is read by itself: one that cannot be read leaves the others standing,
and is counted with its reason. Nothing is guessed: a list without numbers counts only if it has as many
entries as were asked for, or if the reply was cut at its token limit, which loses the end alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, cast

from pydantic import JsonValue

from glossator.agents.llm_calls.answer_text import answer_text, no_answer
from glossator.agents.llm_calls.chat import AnswerSchema, ChatReply, Finish, Unscored, UnscoredReason
from glossator.agents.llm_calls.json_answers import read_json, schema_of
from glossator.agents.llm_calls.verdict_forms import (
    Found,
    FoundList,
    FoundVerdict,
    bare_rows,
    lists,
    numbered_groups,
    numbered_lines,
    single_verdict,
)
from glossator.agents.llm_calls.verdict_probability import VerdictTokens

__all__ = [
    "ReadVerdict",
    "choice_schema",
    "read_choice",
    "read_json",
    "read_verdicts",
    "schema_of",
    "verdict_schema",
]


class ReadVerdict(NamedTuple):
    """What a reader said of one example."""

    fires: bool | None
    """None where nothing usable was said."""
    probability: float | None
    """That it fires, by the token's probabilities; None where there are none."""
    reason: UnscoredReason | None
    """Why `fires` is None."""


def read_verdicts(reply: ChatReply, n: int) -> tuple[ReadVerdict, ...] | Unscored:
    """The verdicts on `n` examples, in the order asked; `Unscored` if there is none at all.

    Args:
        reply: To a detection or fuzzing prompt.
        n: Examples asked about; 1 also takes a bare verdict.

    """
    read = answer_text(reply)
    cut = reply.finish is Finish.LENGTH
    found = _best(_forms(read.text, n, cut), n)
    if found is None and read.thinking:
        found = _at_the_end(read.thinking, n)
    if reply.finish is Finish.REFUSAL or found is None:
        return no_answer(reply, "verdict" if n == 1 else f"{n} verdicts")
    absent = UnscoredReason.CUT if cut else UnscoredReason.MISSING
    if cut:
        found = _without_the_broken_end(found)
    tokens = VerdictTokens(reply)
    return tuple(_read(found.get(i), tokens, absent) for i in range(1, n + 1))


def _without_the_broken_end(found: Found) -> Found:
    """Of a reply that was cut, an entry that cannot be read at the very end was being written."""
    end = max(v.start for v in found.values())
    return {i: v for i, v in found.items() if v.fires is not None or v.start < end}


def _read(verdict: FoundVerdict | None, tokens: VerdictTokens, absent: UnscoredReason) -> ReadVerdict:
    if verdict is None:
        return ReadVerdict(None, None, absent)
    if verdict.fires is None:
        return ReadVerdict(None, None, UnscoredReason.MALFORMED)
    return ReadVerdict(verdict.fires, tokens.probability(verdict.start), None)


def _forms(text: str, n: int, cut: bool) -> Iterator[list[Found]]:
    """Readings of the text, by form, from the surest form to the least sure."""
    yield list(numbered_groups(text))
    yield _rows(_own_lists(text, n), n, cut)
    yield [numbered_lines(text)]
    if n > 1:
        yield _rows(bare_rows(text), n, cut)
    elif single := single_verdict(text):
        yield [{1: single}]


def _own_lists(text: str, n: int) -> Iterator[FoundList]:
    """Lists; of one entry only where the reply is little else (`[1]` may as well cite a window)."""
    if n > 1 or text.strip().startswith("[") or text.rstrip(" \n.").endswith("]"):
        yield from lists(text)


def _rows(rows: Iterator[FoundList], n: int, cut: bool) -> list[Found]:
    """Rows without numbers: those that have an entry for every example, or that were cut short."""
    return [
        dict(enumerate(row.verdicts, 1))
        for row in rows
        if len(row.verdicts) == n or (cut and not row.closed and len(row.verdicts) < n)
    ]


def _best(forms: Iterator[list[Found]], n: int) -> Found | None:
    """The first form whose last complete reading answers for all; else the reading that answers most."""
    best: Found | None = None
    for readings in forms:
        for found in reversed(readings):
            usable = 0 if 0 in found else _usable(found, n)
            if usable == n:
                return found
            if usable > (0 if best is None else _usable(best, n)):
                best = found
    return best


def _usable(found: Found, n: int) -> int:
    return sum(1 for i in range(1, n + 1) if i in found and found[i].fires is not None)


def _at_the_end(thinking: str, n: int) -> Found | None:
    """The answer that thinking without an end ran into: a whole object or list, and nothing after."""
    tail = thinking.rstrip()
    if not tail.endswith(("}", "]")):
        return None
    start = max(tail.rfind("{"), tail.rfind("["))
    last = " " * max(0, start) + tail[max(0, start) :]
    return next(
        (
            f
            for form in ([*numbered_groups(last)], _rows(lists(last), n, False))
            for f in form
            if _usable(f, n) == n
        ),
        None,
    )


def verdict_schema(n: int) -> AnswerSchema:
    """`{"1": 0, …}` with all of `n` numbers. For one window, ask for a bare digit without a schema."""
    numbers = [str(i) for i in range(1, n + 1)]
    verdict: JsonValue = {"type": "integer", "enum": [0, 1]}
    return AnswerSchema(f"verdicts_{n}", _strict({i: verdict for i in numbers}))


def choice_schema(n: int) -> AnswerSchema:
    """`{"odd": k}` with k from 1 to `n`."""
    return AnswerSchema(
        f"odd_of_{n}", _strict({"odd": {"type": "integer", "enum": list[JsonValue](range(1, n + 1))}})
    )


def _strict(properties: dict[str, JsonValue]) -> dict[str, JsonValue]:
    required = cast(JsonValue, list(properties))
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_ODD = re.compile(
    r"\bodd\b[\"']?(?:[ _](?:one|window))?\s{0,9}(?:[:=]|is)?\s{0,9}[\"'#*]{0,3}(?:window )?(\d{1,4})\b",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:answer|intruder|choice)\b[*\"']{0,3}\s{0,9}(?:[:=]|is)?[\s\"'#*]{0,6}(?:window )?(\d{1,4})\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\d.])\d{1,4}(?![\d.]*\d)")


def read_choice(reply: ChatReply, n: int) -> int | Unscored:
    """The one window of `n` that was chosen: `{"odd": 3}`, `Answer: 3`, or the only number there is."""
    text = answer_text(reply).text
    if reply.finish is not Finish.REFUSAL:
        for pattern in (_ODD, _CHOSEN, _NUMBER):
            said = [int(m.group(m.lastindex or 0)) for m in pattern.finditer(text)]
            if said and (pattern is not _NUMBER or len(set(said)) == 1):
                if 1 <= said[-1] <= n:
                    return said[-1]
                break
    return no_answer(reply, f"number from 1 to {n}")
