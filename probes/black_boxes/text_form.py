"""Text features and word relations of the closed language: concepts or word lists, with one part exempt."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from glossator.probes.black_boxes.concepts import CONCEPTS, RELATIONS, part_words, words_of
from glossator.records import Record

UNDEFINED = "undefined"
"""What a relation answers to a word that it does not know."""
_WORD = re.compile(r"[^\W\d_]+")


class NamedConcept(Record):
    """A concept of the catalogue."""

    kind: Literal["concept"] = "concept"
    name: str
    """Its name."""

    @model_validator(mode="after")
    def _known(self) -> NamedConcept:
        if self.name not in CONCEPTS:
            raise ValueError(f"there is no concept {self.name!r}; there are {', '.join(CONCEPTS)}")
        return self


class WordList(Record):
    """Words given one by one."""

    kind: Literal["words"] = "words"
    words: tuple[str, ...] = Field(min_length=1, max_length=64)
    """The words."""


Concept = Annotated[NamedConcept | WordList, Field(discriminator="kind")]


class TextForm(Record):
    """A feature that is near 1 on texts with a word of its concepts, and near 0 on others."""

    kind: Literal["text"] = "text"
    concepts: tuple[Concept, ...] = Field(min_length=1, max_length=2)
    """One concept, or two."""
    exempt: str | None = None
    """A `concept/part` that it does not fire on, though the concept is its own."""

    @model_validator(mode="after")
    def _part_of_its_own(self) -> TextForm:
        named = {c.name for c in self.concepts if isinstance(c, NamedConcept)}
        if self.exempt is not None and self.exempt not in {f"{n}/{p}" for n in named for p in CONCEPTS[n]}:
            raise ValueError(f"{self.exempt!r} is no part of {sorted(named)}")
        return self

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that it fires on, case-folded."""
        every: set[str] = set()
        for concept in self.concepts:
            every |= set(words_of(concept.name) if isinstance(concept, NamedConcept) else concept.words)
        exempt = set() if self.exempt is None else set(part_words(self.exempt))
        return frozenset(w.casefold() for w in every - exempt)

    def fires(self, text: str) -> bool:
        """Whether it fires on a text."""
        return not self.words.isdisjoint(w.casefold() for w in _WORD.findall(text))

    def answer(self, given: float | str) -> float | str:
        """1 or 0."""
        return float(self.fires(str(given)))

    def describe(self) -> str:
        """In words."""
        said = " or ".join(_said(c) for c in self.concepts)
        exempt = "" if self.exempt is None else f", but not on {self.exempt.replace('/', ': ')}"
        return f"fires on words about {said}{exempt}"


class RelationForm(Record):
    """Maps words by a relation; `undefined` to all others and to an exempt part."""

    kind: Literal["relation"] = "relation"
    relation: str
    """The relation's name."""
    exempt: str | None = None
    """A `relation/part` that is undefined too."""

    @model_validator(mode="after")
    def _known(self) -> RelationForm:
        if self.relation not in RELATIONS:
            raise ValueError(f"there is no relation {self.relation!r}; there are {', '.join(RELATIONS)}")
        if self.exempt is not None and self.exempt not in {
            f"{self.relation}/{p}" for p in RELATIONS[self.relation]
        }:
            raise ValueError(f"{self.exempt!r} is no part of {self.relation}")
        return self

    @cached_property
    def table(self) -> dict[str, str]:
        """What is mapped to what."""
        return {
            word: other
            for part, pairs in RELATIONS[self.relation].items()
            if self.exempt != f"{self.relation}/{part}"
            for word, other in pairs.items()
        }

    def answer(self, given: float | str) -> float | str:
        """The word that belongs to this one."""
        return self.table.get(str(given).strip().casefold(), UNDEFINED)

    def describe(self) -> str:
        """In words."""
        exempt = "" if self.exempt is None else f", but undefined for {self.exempt.split('/')[1]} ones"
        return f"gives the {self.relation.replace('_', ' ')} a word, and undefined to other words{exempt}"


def _said(concept: Concept) -> str:
    if isinstance(concept, NamedConcept):
        return concept.name
    return ", ".join(concept.words[:8]) + (", …" if len(concept.words) > 8 else "")
