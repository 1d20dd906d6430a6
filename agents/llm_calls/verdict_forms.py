"""The forms in which models write verdicts on numbered examples, and how each is read.

Objects (`{"1": 0}`, also unquoted, nested or broken), lists (`[True, False]`), numbered lines
(`Example 2: no`) and bare words. Every pattern is anchored to something short, so that the time is
linear in the text, whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}
"""What counts as a verdict, case-folded."""

_DRESS = " \t\r\n\"'`*_"
_VERDICT = r"(?:1\.0|0\.0|[01]|true|false|yes|no)"
_ENDED = r"(?=[*_`\"']{0,3}(?:\s*$|\s*[,;:!)\]}]|\.(?!\w)|\s{1,3}(?:[-–—(=#/]|because\b|since\b)))"
_OBJECT = re.compile(r"\{([^{}]*)(?:\}|\Z)")
_LIST = re.compile(r"\[([^\[\]{}]*)(?:\]|\Z)")
_NAMED = r"(?:(?:example|window|text|item|answer|no\.?|#)[ _]?)?"
_NUMBER_NAMES = r"(?:window|example|text|id|index|number|item|n|i|key)[\"']"
_LINE_HEAD = rf"[ \t>*_\-•`]{{0,12}}{_NAMED}(\d{{1,4}})[*_`]{{0,3}}"
_ARROW = r"(?:->|=>|→|[-–—])"


def _pattern(source: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(source, re.IGNORECASE | flags)


_PAIR = _pattern(rf"[\"']?{_NAMED}(\d{{1,4}})[\"']?\s{{0,9}}[:=]\s{{0,9}}([^,\n}}\]]{{0,80}})")
_KEY_BEFORE = _pattern(r"[\"'](\d{1,4})[\"']\s{0,9}:\s{0,9}$")
_NUMBER_FIELD = _pattern(rf"[\"']{_NUMBER_NAMES}\s{{0,9}}:\s{{0,9}}[\"']?(\d{{1,4}})\b")
_VERDICT_FIELD = _pattern(
    rf"[\"'](?!{_NUMBER_NAMES})\w{{1,40}}[\"']\s{{0,9}}:\s{{0,9}}[\"']?({_VERDICT})(?![\w.])"
)
_LINE = _pattern(
    rf"{_LINE_HEAD}(?:[):=]|\.(?=\D)|\s{{0,3}}{_ARROW}|(?=\s))[ \t*_`\"']{{0,12}}({_VERDICT}){_ENDED}"
)
_FENCED_LINE = _pattern(rf"[ \t]{{0,8}}(\d{{1,4}})\|\s{{0,3}}({_VERDICT})\s{{0,3}}(?:\|\1)?\s{{0,3}}$")
_LINE_START = _pattern(rf"{_LINE_HEAD}[.):]")
_LINE_END = _pattern(rf"(?:{_ARROW}|[:=])[ \t*_`\"']{{0,6}}({_VERDICT})[*_`\"'.!]{{0,4}}\s{{0,9}}$")
_FIRST = _pattern(rf"[\s*_`\"']{{0,12}}({_VERDICT}){_ENDED}", re.MULTILINE)
_SAID = _pattern(
    r"\b(?:answer|verdict|result|output|judge?ment|response)\b[*_`\"']{0,3}\s{0,3}"
    rf"(?:is|:|=|would be)?[ \t*_`\"':]{{0,6}}({_VERDICT}){_ENDED}",
    re.MULTILINE,
)


class FoundVerdict(NamedTuple):
    """A verdict where it stands; `fires` is None where something else stands in its place."""

    fires: bool | None
    start: int
    """Of its text in the reply, in characters."""


Found = Mapping[int, FoundVerdict]
"""Verdicts by example number, from 1."""


def _place(text: str, start: int) -> FoundVerdict:
    """The verdict that `text`, found at `start`, is; its position is that of the bare word."""
    bare = text.strip(_DRESS + ".;")
    return FoundVerdict(WORDS.get(bare.casefold()), start + max(0, text.find(bare)))


def numbered_groups(text: str) -> Iterator[Found]:
    """Objects (and lists with keys), each as it stands; then all that stand one example per object."""
    singles: dict[int, FoundVerdict] = {}
    for match in (*_LIST.finditer(text), *_OBJECT.finditer(text)):
        start, body = match.start(1), match.group(1)
        before = _KEY_BEFORE.search(text[max(0, match.start() - 24) : match.start()])
        number = before or _NUMBER_FIELD.search(body)
        verdict = _VERDICT_FIELD.search(body)
        if number and verdict:
            _put(singles, int(number.group(1)), _place(verdict.group(1), start + verdict.start(1)))
            continue
        pairs: dict[int, FoundVerdict] = {}
        for pair in _PAIR.finditer(body):
            _put(pairs, int(pair.group(1)), _place(pair.group(2), start + pair.start(2)))
        if pairs:
            yield pairs
    if singles:
        yield singles


def _put(found: dict[int, FoundVerdict], number: int, verdict: FoundVerdict) -> None:
    """Two different verdicts on one example are none."""
    other = found.get(number)
    clash = other is not None and other.fires is not verdict.fires
    found[number] = FoundVerdict(None, verdict.start) if clash else verdict


class FoundList(NamedTuple):
    """Verdicts in a row, without numbers."""

    verdicts: tuple[FoundVerdict, ...]
    closed: bool
    """The list ends, rather than the reply inside it."""


def lists(text: str) -> Iterator[FoundList]:
    """Bracketed lists at least half of whose entries are verdicts."""
    for match in _LIST.finditer(text):
        body = match.group(1)
        if len(body) > 4000:
            continue
        separator = r"[^,;]+" if "," in body or ";" in body else r"\S+"
        entries = [m for m in re.finditer(separator, body) if m.group().strip()]
        found = tuple(_place(e.group(), match.start(1) + e.start()) for e in entries)
        if found and 2 * sum(f.fires is not None for f in found) >= len(found):
            yield FoundList(found, match.group().endswith("]"))


def numbered_lines(text: str) -> Found:
    """Lines such as `2) no`, `Example 3: 1`, `4. a river bank: yes`; the last of equal numbers counts."""
    found: dict[int, FoundVerdict] = {}
    for start, line in _lines(text):
        match = _FENCED_LINE.match(line) or _LINE.match(line[:200])
        if match:
            found[int(match.group(1))] = _place(match.group(2), start + match.start(2))
            continue
        head = _LINE_START.match(line[:200])
        if head:
            cut = max(head.end(), len(line) - 40)
            tail = _LINE_END.search(line[cut:])
            at = start + cut
            found[int(head.group(1))] = (
                _place(tail.group(1), at + tail.start(1)) if tail else FoundVerdict(None, start)
            )
    return found


def bare_rows(text: str) -> Iterator[FoundList]:
    """Lines of nothing but verdicts: each by itself, then all together."""
    every: list[FoundVerdict] = []
    for start, line in _lines(text):
        words = [_place(m.group(), start + m.start()) for m in re.finditer(r"[^\s,;]+", line[:4000])]
        if words and all(w.fires is not None for w in words):
            every += words
            yield FoundList(tuple(words), True)
    if every:
        yield FoundList(tuple(every), True)


def single_verdict(text: str) -> FoundVerdict | None:
    """The verdict of a reply to one example: a field, said first, said as the answer, or the last line."""
    fields = [m for o in _OBJECT.finditer(text) for m in [_VERDICT_FIELD.search(text, *o.span())] if m]
    if fields:
        return _place(fields[-1].group(1), fields[-1].start(1))
    body = text.lstrip()
    shift = len(text) - len(body)
    first = _FIRST.match(body[:200])
    if first and not re.match(r"[01][.:)]\s+\S", body):
        return _place(first.group(1), shift + first.start(1))
    said = list(_SAID.finditer(text))
    if said:
        return _place(said[-1].group(1), said[-1].start(1))
    last = text.rstrip().rpartition("\n")[2]
    if last.strip(_DRESS + ".").casefold() in WORDS:
        return _place(last, len(text.rstrip()) - len(last))
    return None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.splitlines(keepends=True):
        if not line.isspace():
            yield start, line.rstrip()
        start += len(line)
