"""What an investigation leaves behind for those after it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record, content_id


class FindingKind(StrEnum):
    """What kind of thing was learnt."""

    MEANING = "meaning"
    """A feature fires on this; its verdict says how sure."""
    FACET = "facet"
    """One of several meanings."""
    EXCEPTION = "exception"
    """Where it does not fire although its meaning suggests it."""
    REFUTED = "refuted"
    """A hypothesis that experiments spoke against."""
    EFFECT = "effect"
    """What turning it up or down does."""
    RELATION = "relation"
    """How features relate: similar, co-active, distinct."""
    CONCEPT = "concept"
    """Which features separate a concept."""


class Finding(Record):
    """One thing that was learnt, with what it rests on."""

    id: str
    """`f-` and 12 hex digits, from subject, dictionary, features, kind and text."""
    subject: str
    """The subject's name: a finding is never one of another subject's."""
    dictionary: str
    """The dictionary's name."""
    features: tuple[int, ...]
    """The features that it speaks of; empty where it speaks of none."""
    kind: FindingKind
    """What kind."""
    text: str = Field(min_length=1, max_length=500)
    """In words."""
    verdict: str = ""
    """`accepted`, `tentative`, `abstained` for meanings; empty otherwise."""
    evidence: tuple[str, ...] = Field(min_length=1)
    """Ids of evidence that it rests on; none is stored without."""
    author: str = ""
    """Who worded it."""

    @classmethod
    def of(
        cls,
        subject: str,
        dictionary: str,
        features: tuple[int, ...],
        kind: FindingKind,
        text: str,
        *,
        evidence: tuple[str, ...],
        verdict: str = "",
        author: str = "",
    ) -> Finding:
        """A finding with the id that its content gives it; who worded it, and on what, is not part of it."""
        identity = content_id("f", [subject, dictionary, list(features), kind.value, text, verdict])
        return cls(
            id=identity, subject=subject, dictionary=dictionary, features=features, kind=kind, text=text,
            verdict=verdict, evidence=evidence, author=author,
        )  # fmt: skip


class Contradiction(Record):
    """Two findings that cannot both be right."""

    first: str
    """Id of one finding."""
    second: str
    """Id of the other."""
    words: str
    """What contradicts what, with the numbers."""
