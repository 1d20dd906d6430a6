"""Two meanings of one feature are told apart, and exceptions are found in text and in experiments."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from glossator.agents.embedded_analyst.analyst import EmbeddedAnalyst
from glossator.agents.investigator.facets import facet_split
from glossator.probes.planted_rules import EitherOrRule, ExceptionRule, PlantedRule, TokenSetRule
from glossator.probes.planted_truth import (
    PlantedDictionary,
    PlantedSubject,
    planted_firings,
    planted_text,
)
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import ExploreView, ValidateView
from glossator.probes.text_activations import TextActivations
from glossator.records import (
    AnyOf,
    Expectation,
    Experiment,
    ExperimentKind,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Outcome,
    Predicate,
    TokenIn,
    TriedText,
)

SEA, TAX, MORE = (" ship", " sail", " harbour"), (" tax", " budget"), (" fund", " loan")
FILLER = "the man see a house and go to it when they leave or stay by night not never old"


def _set(name: str, *tokens: str) -> TokenSetRule:
    return TokenSetRule(kind="token_set", name=name, tokens=tokens)


RULES: tuple[PlantedRule, ...] = (
    EitherOrRule(kind="either_or", name="sea or tax", either=_set("", *SEA), other=_set("", *TAX)),
    ExceptionRule(
        kind="exception", name="sea but not", rule=_set("", *SEA), unless_previous=(" not", " never")
    ),
    _set("sea", *SEA),
)


class Planted(NamedTuple):
    analyst: EmbeddedAnalyst
    activations: TextActivations

    def split(self, feature: int, *predicates: Predicate, tried: tuple[Experiment, ...] = ()):
        made = [
            Hypothesis.of(ref(feature), f"claim {i}", p, author="x", origin=HypothesisOrigin.PROPOSED)
            for i, p in enumerate(predicates)
        ]
        return facet_split(self.analyst, self.activations, ref(feature), made, tried)


def ref(feature: int) -> FeatureRef:
    return FeatureRef(subject="planted", dictionary="planted", index=feature)


@cache
def planted() -> Planted:
    rng = np.random.default_rng(3)
    words = FILLER.split() * 3 + [t.strip() for t in (*SEA, *TAX, *MORE)]
    texts = [" ".join(rng.choice(words, 150)) for _ in range(60)]
    subject = PlantedSubject.over(texts, RULES)
    explore, validate = (planted_text(subject, part, 64) for part in (texts[:40], texts[40:]))
    analyst = EmbeddedAnalyst(
        ExploreView(planted_firings(subject, explore)), ValidateView(planted_firings(subject, validate))
    )
    return Planted(analyst, TextActivations(subject, PlantedDictionary(len(RULES))))


def test_two_claims_that_cover_different_firings_are_two_facets() -> None:
    sea, tax = TokenIn(tokens=SEA), TokenIn(tokens=TAX)
    found = planted().split(0, tax, TokenIn(tokens=MORE), sea, TokenIn(tokens=SEA[:2]))
    assert {f.text for f in found.facets} == {"claim 0", "claim 2"}
    assert all(f.precision == 1.0 and 0.3 < f.share < 0.7 for f in found.facets)
    assert found.joined is not None
    assert found.joined.origin is HypothesisOrigin.JOINED
    assert set(found.joined.parents) == {f.hypothesis for f in found.facets}
    assert found.joined.predicate in (AnyOf(parts=(sea, tax)), AnyOf(parts=(tax, sea)))
    assert all(word in found.joined.text for word in ("ship", "tax"))
    assert not found.made
    assert not found.exceptions


def test_an_either_or_is_split_into_its_parts() -> None:
    found = planted().split(0, AnyOf(parts=(TokenIn(tokens=SEA), TokenIn(tokens=TAX))))
    assert len(found.facets) == 2
    assert found.joined is None
    assert [h.id for h in found.made] == [f.hypothesis for f in found.facets]
    assert {h.origin for h in found.made} == {HypothesisOrigin.FACET}


def test_one_meaning_is_not_split() -> None:
    whole = planted().split(2, TokenIn(tokens=SEA), TokenIn(tokens=SEA[:2]), TokenIn(tokens=SEA[2:]))
    assert not whole.facets
    assert whole.joined is None
    unsure = planted().split(2, TokenIn(tokens=SEA), TokenIn(tokens=(" the", *TAX)))
    assert not unsure.facets
    assert unsure.joined is None
    assert planted().split(2) == ((), None, (), ())


def test_an_exception_is_found_in_the_text() -> None:
    found = planted().split(1, TokenIn(tokens=SEA))
    assert [set(words_of(e.predicate)) for e in found.exceptions] == [{"not", "never"}]
    assert found.exceptions[0].n == 24
    assert found.joined is not None
    assert not found.facets
    view = planted().analyst.validate
    held = evaluate(found.joined.predicate, view.text) & view.text.eligible  # type: ignore[arg-type]
    assert (held == (view.dense(1) > 0)).all()
    again = planted().split(1, found.joined.predicate)  # type: ignore[arg-type]
    assert again.joined is None
    assert len(again.exceptions) == 1


def test_an_exception_that_experiments_show_must_hold_on_validate() -> None:
    texts = [f"the man {a} ship" for a in ("not", "never", "old", "see")] * 3
    texts = [f"{t} {i}" for i, t in enumerate(texts)]
    values = planted().activations(1, texts)
    tried = tuple(
        TriedText(
            text=t, expected=Expectation.FIRES, activation=float(v), quantile=0,
            outcome=Outcome.FIRES if v else Outcome.SILENT,
        )
        for t, v in zip(texts, values, strict=True)
    )  # fmt: skip
    experiment = Experiment(hypothesis="h", kind=ExperimentKind.TEXTS, tested=tried, threshold=0.1)
    found = planted().split(1, TokenIn(tokens=SEA), tried=(experiment,))
    assert found.exceptions
    assert found.exceptions[0].n == 30
    none = planted().split(2, TokenIn(tokens=(" ship",)), tried=(experiment,))
    assert not none.exceptions


def words_of(predicate: Predicate) -> list[str]:
    """Every token or word that a predicate lists."""
    listed = getattr(predicate, "tokens", None) or getattr(predicate, "words", None)
    return [t.strip() for t in listed] if listed else words_of(predicate.by)  # type: ignore[union-attr]
