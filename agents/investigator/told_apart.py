"""How hypotheses are named where people read them: two that say the same words are told apart by their rules.

The embedded analyst words a set of tokens by its first members, so revisions of one rule often read alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from glossator.records import Hypothesis, Predicate

_SHOWN = 4
_PLAIN: TypeAdapter[Predicate] = TypeAdapter(Predicate)


def told_apart(hypothesis: Hypothesis, known: Sequence[Hypothesis]) -> str:
    """Its text; with what its rule has more and less than the first other one that reads the same."""
    other = next((k for k in known if k.id != hypothesis.id and k.text == hypothesis.text), None)
    if other is None or hypothesis.predicate is None or other.predicate is None:
        return hypothesis.text
    own, theirs = _members(hypothesis.predicate), _members(other.predicate)
    more, less = sorted(own - theirs), sorted(theirs - own)
    parts = [f"{sign} {_listed(items)}" for sign, items in (("also", more), ("without", less)) if items]
    return f"{hypothesis.text} [{'; '.join(parts) or 'the same words in another rule'}]"


def _listed(items: Sequence[str]) -> str:
    shown = ", ".join(f'"{i}"' for i in items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN} more"


def _members(predicate: Predicate) -> frozenset[str]:
    """Every token, word and pattern that the rule names."""
    found: set[str] = set()
    _collect(_PLAIN.dump_python(predicate, mode="json"), found)
    return frozenset(found)


def _collect(node: object, found: set[str]) -> None:
    if isinstance(node, dict):
        for key, inner in node.items():
            if key in ("pattern", "word") and isinstance(inner, str):
                found.add(inner)
            elif key in ("tokens", "words") and isinstance(inner, list):
                found |= {i for i in inner if isinstance(i, str)}
            elif key != "kind":
                _collect(inner, found)
    elif isinstance(node, list):
        for inner in node:
            _collect(inner, found)
