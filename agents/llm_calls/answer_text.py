"""The part of a reply that answers: without thinking, without code fences, and why there may be none.

Positions matter (a verdict's token is found by where it stands), so what does not answer is blanked
with spaces rather than cut out. Everything here takes time linear in the reply.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from glossator.agents.llm_calls.chat import ChatReply, Finish, Unscored, UnscoredReason

LONGEST_READ = 32_768
"""Characters from the end that are read; longer answers are rubbish, or an answer after rubbish."""

_NAMES = r"(?:think|thinking|thought|reasoning|analysis|scratchpad)"
_CLOSE = re.compile(rf"</{_NAMES}>|\[/THINK\]|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_OPEN = re.compile(rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|channel\|>analysis<\|message\|>", re.IGNORECASE)
_CODE_FENCE = re.compile(r"```[a-zA-Z0-9_-]{0,20}|~~~[a-zA-Z0-9_-]{0,20}")
_NOT = r"(?:cannot|can['’]t|can not|won['’]t|will not|am (?:unable|not able) to)"
_REFUSAL = re.compile(
    rf"\b(?:I(?:['’]m| am) (?:very |so )?sorry|sorry,? (?:but )?I\b|I {_NOT}|I['’]m (?:unable|not able) to"
    r"|as an AI\b|I must decline|I (?:have to|need to) decline|against my (?:guidelines|programming)"
    r"|not comfortable (?:with|judging|answering))",
    re.IGNORECASE,
)


class AnswerText(NamedTuple):
    """What is read of a reply."""

    text: str
    """As long as the reply, blanked where it does not answer."""
    thinking: str
    """Thinking that never ended, at its own place; an answer may stand at its very end."""


def answer_text(reply: ChatReply) -> AnswerText:
    """`reply` without what does not answer."""
    text, rest = reply.text, ""
    closes = [m.end() for m in _CLOSE.finditer(text)]
    if closes and text[closes[-1] :].strip():
        text = _blanked(text, 0, closes[-1])
    elif closes:
        opened = _OPEN.search(text)
        text = _blanked(text, opened.start() if opened else 0, len(text))
    opened = _OPEN.search(text)
    if opened:
        rest = _blanked(text, 0, opened.end())
        text = _blanked(text, opened.start(), len(text))
    return AnswerText(_clean(text), _clean(rest))


def _clean(text: str) -> str:
    clipped = max(0, len(text.rstrip()) - LONGEST_READ)
    return " " * clipped + _CODE_FENCE.sub(lambda m: " " * len(m.group()), text[clipped:])


def _blanked(text: str, start: int, end: int) -> str:
    return text[:start] + " " * (end - start) + text[end:]


def refuses(text: str, *, at_start: bool = False) -> bool:
    """Whether words of refusal open a text without an answer (`at_start`: are its very first)."""
    opening = text.lstrip()[:400]
    return (_REFUSAL.match(opening) if at_start else _REFUSAL.search(opening)) is not None


def no_answer(reply: ChatReply, wanted: str) -> Unscored:
    """Why nothing usable was found; the detail never quotes the reply."""
    read = answer_text(reply)
    if reply.finish is Finish.REFUSAL or refuses(read.text):
        return Unscored(UnscoredReason.REFUSED)
    if reply.finish is Finish.LENGTH:
        return Unscored(UnscoredReason.CUT, f"after {len(reply.text)} characters without {wanted}")
    if not read.text.strip():
        return Unscored(UnscoredReason.EMPTY, "thinking without an answer" if reply.text.strip() else "")
    return Unscored(UnscoredReason.MALFORMED, f"no {wanted} in {len(reply.text)} characters")
