"""Text features and word relations: search of the catalogue, and words that tell forms apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from glossator.probes.black_boxes.box import Pair, Value
from glossator.probes.black_boxes.concepts import (
    CONCEPTS,
    RELATIONS,
    open_words,
    parts_of_concepts,
    parts_of_relations,
)
from glossator.probes.black_boxes.solver import Fit, best_first
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm

FIRES = 0.5
"""Activation from which a feature counts as firing."""
_PRICE = 0.3
"""Experiments that a concept or an exempt part must explain more, to be worth its length."""

WordForm = TextForm | RelationForm


def interleaved(parts: Sequence[str]) -> list[str]:
    """Open words of the parts in turn: one of each, then second ones."""
    lists = [open_words(part) for part in parts]
    longest = max(map(len, lists))
    return [words[i] for i in range(longest) for words in lists if i < len(words)]


def agrees(form: WordForm, pair: Pair) -> bool:
    """Whether the form predicts the experiment."""
    if isinstance(form, TextForm):
        return form.fires(str(pair.given)) == (float(pair.got) > FIRES)
    return form.answer(pair.given) == pair.got


def graded(form: WordForm, pairs: Sequence[Pair]) -> Fit:
    """Misfit of a form, with a price for each concept and each exempt part."""
    wrong = sum(not agrees(form, p) for p in pairs)
    length = (len(form.concepts) if isinstance(form, TextForm) else 1) + (form.exempt is not None)
    return Fit(form, wrong + _PRICE * length, 1 - wrong / max(1, len(pairs)))


class _WordSolver:
    """What both have in common: a pool of words and a set of forms."""

    def __init__(self, pool: Sequence[str]) -> None:
        self._pool = list(pool)

    def opening(self, n: int) -> list[Value]:
        """One word of each part, then second ones."""
        return list(self._pool[:n])

    def random(self, n: int, rng: np.random.Generator) -> list[Value]:
        """Open words at random."""
        return [self._pool[int(i)] for i in rng.permutation(len(self._pool))[:n]]

    def fit(self, form: WordForm, pairs: Sequence[Pair]) -> Fit:
        """How well a proposed form does."""
        return graded(form, pairs)

    def telling(self, fits: Sequence[Fit], pairs: Sequence[Pair], n: int) -> list[Value]:
        """New open words on which the best fits differ; then words of parts not tried yet."""
        known = {p.given for p in pairs}
        rest = [w for w in self._pool if w not in known]
        forms = [f.form for f in fits[:4]]
        split = [(len({str(form.answer(w)) for form in forms}), w) for w in rest]
        disputed = [w for kinds, w in split if kinds > 1]
        return list[Value](dict.fromkeys([*disputed, *rest]))[:n]


class FeatureSolver(_WordSolver):
    """A `Solver` for text features."""

    def __init__(self) -> None:
        super().__init__(interleaved(parts_of_concepts()))

    def search(self, pairs: Sequence[Pair]) -> list[Fit]:
        """One concept or two of those with a word that fired, whole or without one part."""
        fired = {str(p.given) for p in pairs if float(p.got) > FIRES}
        names = [c for c in CONCEPTS if any(w in fired for part in CONCEPTS[c].values() for w in part)]
        return best_first(graded(form, pairs) for form in _features(names or list(CONCEPTS)[:1]))

    def telling(self, fits: Sequence[Fit], pairs: Sequence[Pair], n: int) -> list[Value]:
        """Words of the best fit's parts and of disputed ones before others."""
        form = fits[0].form if fits else None
        own = (
            [c.name for c in form.concepts if isinstance(c, NamedConcept)]
            if isinstance(form, TextForm)
            else []
        )
        known = {p.given for p in pairs}
        inside = [w for w in interleaved([f"{c}/{p}" for c in own for p in CONCEPTS[c]] or ["animals/birds"])]
        inside = [w for w in inside if own and w not in known][: n // 2]
        return list(dict.fromkeys([*inside, *super().telling(fits, pairs, n)]))[:n]


def _features(names: Sequence[str]) -> Iterator[TextForm]:
    for chosen in [*((a,) for a in names), *combinations(names, 2)]:
        concepts = tuple(NamedConcept(name=c) for c in chosen)
        yield TextForm(concepts=concepts)
        for concept in chosen:
            for part in CONCEPTS[concept]:
                yield TextForm(concepts=concepts, exempt=f"{concept}/{part}")


class RelationSolver(_WordSolver):
    """A `Solver` for word relations."""

    def __init__(self) -> None:
        super().__init__(interleaved(parts_of_relations()))

    def search(self, pairs: Sequence[Pair]) -> list[Fit]:
        """Every relation, whole or without one part."""
        forms = [
            RelationForm(relation=relation, exempt=exempt)
            for relation, parts in RELATIONS.items()
            for exempt in (None, *(f"{relation}/{part}" for part in parts))
        ]
        return best_first(graded(form, pairs) for form in forms)
