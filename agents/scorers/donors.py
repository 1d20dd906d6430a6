"""Whose explanations stand in for a feature's own in the shuffled baseline.

The explanations with the smallest ids of the same run: ids are hashes of the content, so this is a
draw without a seed, and nearly the same panel for all features, which is evaluated once. A run with
fewer than two usable explanations borrows rules from a list that names nothing in particular.
"""

from __future__ import annotations

from collections.abc import Sequence

from glossator.records import Explanation, FeatureRef, Predicate, TokenMatches, WordIn, predicate_json

_DECOYS: tuple[tuple[str, Predicate], ...] = (
    ('the word "water"', WordIn(words=("water",))),
    ('the word "after"', WordIn(words=("after",))),
    ('the words "two" and "three"', WordIn(words=("two", "three"))),
    ('the words "could" and "would"', WordIn(words=("could", "would"))),
    ('the word "where"', WordIn(words=("where",))),
    ("words that begin with q", TokenMatches(pattern=r"^ ?[qQ]")),
    ('tokens that end in "ly"', TokenMatches(pattern="ly$")),
    ("semicolons", TokenMatches(pattern=";")),
    ("the digit 7", TokenMatches(pattern="7")),
    ('the word "house"', WordIn(words=("house",))),
)
_DECOY_FEATURE = FeatureRef(subject="decoy", dictionary="decoy", index=0)


def choose_donors(explanation: Explanation, others: Sequence[Explanation], n: int) -> tuple[Explanation, ...]:
    """Up to `n` explanations of other features that say something else; decoys if fewer than two do."""
    rule = _rule(explanation)
    usable = [
        other
        for other in others
        if other.feature != explanation.feature
        and other.text != explanation.text
        and (rule is None or _rule(other) != rule)
    ]
    distinct = {(o.text, _rule(o)): o for o in sorted(usable, key=lambda o: o.id, reverse=True)}
    panel = tuple(sorted(distinct.values(), key=lambda o: o.id)[:n])
    return panel if len(panel) >= 2 else decoys(explanation)[:n]


def decoys(explanation: Explanation) -> tuple[Explanation, ...]:
    """The built-in explanations, without one that says the same as `explanation`."""
    made = [Explanation.of(_DECOY_FEATURE, "decoy", text, predicate) for text, predicate in _DECOYS]
    return tuple(d for d in made if d.text != explanation.text and _rule(d) != _rule(explanation))


def _rule(explanation: Explanation) -> str | None:
    return None if explanation.predicate is None else predicate_json(explanation.predicate)
