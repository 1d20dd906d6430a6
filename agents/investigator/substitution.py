"""Texts made from windows by changing one token: contexts that a corpus happens not to hold.

A row is a list of tokens; its text is run. What a hypothesis expects of it is what its predicate says of
the row. Several tokens that are expected to be silent can share a text: if it is silent, all of them are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.investigator.outcome_ground import holds_in
from glossator.agents.investigator.proposer import TextTest
from glossator.agents.investigator.run_texts import RunTexts
from glossator.probes.text_activations import TextProfile
from glossator.records import Expectation, Predicate, Window

LEFT, RIGHT = 8, 3
"""Tokens kept around a changed one."""
GROUP = 5
"""Tokens that share a text."""
_GROUP_LEFT = 3
_RAW = re.compile(r"^<.*>$")


class Row(NamedTuple):
    """A text in the making."""

    tokens: tuple[str, ...]
    why: str
    pair: int = -1

    @property
    def text(self) -> str:
        """As the subject will read it."""
        return "".join(self.tokens)


class Place(NamedTuple):
    """A token in a context."""

    before: tuple[str, ...]
    token: str
    after: tuple[str, ...]

    def with_token(self, shift: int, token: str, why: str, pair: int = -1) -> Row:
        """The context with the token at `shift` (-1, 0 or 1) replaced."""
        before, here, after = self.before, self.token, self.after
        if shift == 0:
            here = token
        elif shift < 0:
            before = (*before[:-1], token)
        else:
            after = (token, *after[1:])
        return Row((*before, here, *after), why, pair)

    def without_previous(self, why: str, pair: int = -1) -> Row:
        """The context with the token before left out."""
        return Row((*self.before[:-1], self.token, *self.after), why, pair)

    def cut(self, left: int, right: int) -> Place:
        """Less context, beginning where a word begins, so that it can follow other text."""
        before = self.before[max(0, len(self.before) - left) :]
        while len(before) > 1 and not before[0][:1].isspace():
            before = before[1:]
        return Place(before, self.token, self.after[:right])


def firing_places(windows: Sequence[Window], threshold: float, left: int = LEFT) -> list[Place]:
    """The peaks of windows that fire above the threshold, two tokens before them at least."""
    found: list[Place] = []
    for window in windows:
        peak = window.peak
        if window.activations[peak] > threshold:
            place = _place(window, peak, left)
            if len(place.before) >= 2:
                found.append(place)
    return found


def silent_places(windows: Sequence[Window], left: int = LEFT) -> list[Place]:
    """The middles of silent windows."""
    quiet = [w for w in windows if not any(w.activations)]
    places = [_place(w, len(w.tokens) // 2, left) for w in quiet]
    return [p for p in places if len(p.before) >= 2]


def _place(window: Window, at: int, left: int) -> Place:
    """A token of a window in its context, cut where a token is no text."""
    before = list(window.tokens[max(0, at - left) : at])
    after = list(window.tokens[at + 1 : at + 1 + RIGHT])
    raw = [i for i, t in enumerate(before) if _RAW.match(t)]
    before = before[raw[-1] + 1 :] if raw else before
    stop = next((i for i, t in enumerate(after) if _RAW.match(t)), len(after))
    return Place(tuple(before), window.tokens[at], tuple(after[:stop]))


def grouped(places: Sequence[Place], shift: int, tokens: Sequence[str], why: str) -> list[Row]:
    """Rows of `GROUP` tokens each, every one in a short context of its own."""
    rows: list[Row] = []
    if not places:
        return rows
    for start in range(0, len(tokens), GROUP):
        chosen = tokens[start : start + GROUP]
        pieces = [
            places[(start + i) % len(places)].cut(_GROUP_LEFT, 1).with_token(shift, token, why).tokens
            for i, token in enumerate(chosen)
        ]
        said = f"{why}: {', '.join(t.strip() for t in chosen)}"
        rows.append(Row(tuple(t for piece in pieces for t in piece), said))
    return rows


def tests_of(rows: Sequence[Row], predicate: Predicate) -> list[TextTest]:
    """The rows as tests, with what `predicate` expects of each; each text once."""
    unique = list({row.text: row for row in rows if row.text.strip()}.values())
    if not unique:
        return []
    holds = holds_in(read_rows(unique), predicate).tolist()
    return [
        TextTest(row.text, Expectation.FIRES if held else Expectation.SILENT, row.why[:200], row.pair)
        for row, held in zip(unique, holds, strict=True)
    ]


def read_rows(rows: Sequence[Row]) -> RunTexts:
    """Rows as a token stream."""
    return RunTexts.of([TextProfile(row.tokens, np.zeros(len(row.tokens), np.float32)) for row in rows])
