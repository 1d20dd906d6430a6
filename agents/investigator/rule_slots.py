"""The sets of tokens or words inside a predicate, and the same predicate with others in their place."""

from __future__ import annotations

from typing import NamedTuple

from glossator.probes.word_table import fold
from glossator.records import (
    AllOf,
    AnyOf,
    Followed,
    Not,
    Position,
    Preceded,
    Predicate,
    TokenIn,
    WeightedWords,
    WindowContains,
    WordIn,
)


class SetSlot(NamedTuple):
    """A set that decides what may stand at one place."""

    part: TokenIn | WordIn
    """The condition."""
    shift: int
    """Where it looks: 0 at the firing token, -1 at the one before, 1 at the one after."""

    @property
    def members(self) -> tuple[str, ...]:
        """Tokens, or case-folded words."""
        return self.part.tokens if isinstance(self.part, TokenIn) else self.part.words

    def has(self, token: str) -> bool:
        """Whether a token (leading space included) belongs to the set."""
        if isinstance(self.part, TokenIn):
            return token in self.part.tokens
        return fold(token.strip()) in self.part.words

    def with_changes(self, added: list[str], dropped: list[str]) -> TokenIn | WordIn | None:
        """The set with tokens added and others dropped; None if nothing is left."""
        if isinstance(self.part, TokenIn):
            tokens = tuple(dict.fromkeys(t for t in (*self.part.tokens, *added) if t not in dropped))
            return TokenIn(tokens=tokens[:512]) if tokens else None
        out = {fold(t.strip()) for t in dropped}
        more = (fold(t.strip()) for t in added)
        words = tuple(dict.fromkeys(w for w in (*self.part.words, *more) if w and w not in out))
        return WordIn(words=words[:512]) if words else None


def set_slots(predicate: Predicate, shift: int = 0) -> list[SetSlot]:
    """Sets that `predicate` asks for here or at a neighbour; those that it forbids are none."""
    if isinstance(predicate, TokenIn | WordIn):
        return [SetSlot(predicate, shift)]
    if isinstance(predicate, AllOf | AnyOf):
        return [slot for part in predicate.parts for slot in set_slots(part, shift)]
    if isinstance(predicate, Preceded) and predicate.within == 1:
        return set_slots(predicate.by, shift - 1)
    if isinstance(predicate, Followed) and predicate.within == 1:
        return set_slots(predicate.by, shift + 1)
    return []


def replaced(predicate: Predicate, old: Predicate, new: Predicate | None) -> Predicate | None:
    """`predicate` with a part replaced, or left out where `new` is None; None if nothing is left."""
    if predicate == old:
        return new
    if isinstance(predicate, AllOf | AnyOf):
        parts = tuple(p for part in predicate.parts if (p := replaced(part, old, new)) is not None)
        if len(parts) < 2:
            return parts[0] if parts else None
        return type(predicate)(parts=parts)
    if isinstance(predicate, Preceded | Followed):
        by = replaced(predicate.by, old, new)
        return None if by is None else type(predicate)(by=by, within=predicate.within)
    if isinstance(predicate, Not):
        inner = replaced(predicate.part, old, new)
        return None if inner is None else Not(part=inner)
    return predicate


def loosened(predicate: Predicate) -> list[Predicate]:
    """`predicate` without one of the conditions that it joins, for each of them."""
    if isinstance(predicate, AllOf):
        found = [replaced(predicate, part, None) for part in predicate.parts]
        return [p for p in found if p is not None]
    return []


def reach(predicate: Predicate) -> int:
    """How many tokens before the firing one a predicate looks at."""
    if isinstance(predicate, WindowContains | WeightedWords):
        return predicate.before
    if isinstance(predicate, AllOf | AnyOf):
        return max(map(reach, predicate.parts))
    if isinstance(predicate, Not):
        return reach(predicate.part)
    if isinstance(predicate, Preceded | Followed):
        return predicate.within + reach(predicate.by)
    return 32 if isinstance(predicate, Position) else 0
