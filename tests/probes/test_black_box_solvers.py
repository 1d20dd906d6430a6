"""Fits, searches and grades of black boxes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from glossator.probes.black_boxes.box import Pair, Signature, Takes
from glossator.probes.black_boxes.families import SIMPLE
from glossator.probes.black_boxes.generate import HiddenFunction, generate, hidden_function
from glossator.probes.black_boxes.grading import centred_r2, grade, interval_overlap
from glossator.probes.black_boxes.kinds import Kind
from glossator.probes.black_boxes.numeric_fit import Skeleton
from glossator.probes.black_boxes.numeric_form import ExceptionInterval, NumericForm, Term
from glossator.probes.black_boxes.numeric_solver import NumericSolver
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.string_solver import StringSolver
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm, WordList
from glossator.probes.black_boxes.word_solvers import FeatureSolver, RelationSolver

DOMAIN = Signature(Takes.NUMBERS, -100.0, 100.0)


@cache
def by_family() -> dict[str, HiddenFunction]:
    drawn = generate(5, 120, [Kind.NUMERIC_CLEAN])
    return {f.form.first.family: f for f in drawn if isinstance(f.form, NumericForm)}


@pytest.mark.parametrize("family", SIMPLE)
def test_the_right_family_fits_its_function(family: str) -> None:
    function = by_family()[family]
    solver = NumericSolver(function.signature)
    pairs = [Pair(x, function.run(x)) for x in solver.opening(40)]
    fit = solver.fit(Skeleton(family), pairs)  # pyright: ignore[reportArgumentType]
    assert fit.quality > 0.98
    assert grade(fit.form, function).value > 0.7  # jumps lie somewhere between two experiments


def test_sums_and_products_are_fitted() -> None:
    step = Term(family="step", shape=(12.0,), weights=(20.0, 3.0))
    line = Term(family="linear", weights=(0.5, 4.0))
    for join in ("sum", "product"):
        truth = NumericForm(first=step, join=join, second=line)
        solver = NumericSolver(DOMAIN)
        pairs = [Pair(x, truth.answer(x)) for x in solver.opening(40)]
        assert solver.fit(Skeleton("step", join, "linear"), pairs).quality > 0.999


def test_an_exception_is_found_and_none_is_made_up() -> None:
    line = Term(family="linear", weights=(1.0, 0.0))
    truth = NumericForm(first=line, exception=ExceptionInterval(low=20, high=45, value=-30))
    solver = NumericSolver(DOMAIN)
    x = solver.opening(40)
    found = solver.fit(Skeleton("linear"), [Pair(v, truth.answer(v)) for v in x]).form
    assert isinstance(found, NumericForm)
    assert found.exception is not None
    assert truth.exception is not None
    assert interval_overlap(found.exception, truth.exception) > 0.75
    plain = solver.fit(Skeleton("linear"), [Pair(v, line.values(np.array([v]))[0].item()) for v in x]).form
    assert isinstance(plain, NumericForm)
    assert plain.exception is None


def test_chosen_inputs_narrow_a_jump_down() -> None:
    truth = NumericForm(first=Term(family="step", shape=(31.7,), weights=(9.0, 0.0)))
    solver = NumericSolver(DOMAIN)
    pairs = [Pair(x, truth.answer(x)) for x in solver.opening(12)]
    for _ in range(3):
        pairs += [Pair(x, truth.answer(x)) for x in solver.telling(solver.search(pairs), pairs, 4)]
    x = sorted(float(p.given) for p in pairs)
    below, above = max(v for v in x if v < 31.7), min(v for v in x if v >= 31.7)
    assert above - below < 5


def test_inputs_are_new_and_inside() -> None:
    for solver, function in (
        (NumericSolver(DOMAIN), hidden_function(Kind.NUMERIC_CLEAN, 1, 0)),
        (StringSolver(), hidden_function(Kind.STRING_COMPOSED, 1, 0)),
        (FeatureSolver(), hidden_function(Kind.TEXT_TWO, 1, 0)),
        (
            RelationSolver(),
            next(f for f in generate(1, 20, [Kind.TEXT_EXCEPTION]) if f.form.kind == "relation"),
        ),
    ):
        pairs = [Pair(x, function.run(x)) for x in solver.opening(12)]
        new = solver.telling(solver.search(pairs), pairs, 4)
        assert 0 < len(new) <= 4
        assert not {p.given for p in pairs} & set(new)
        drawn = solver.random(5, np.random.default_rng(0))
        assert drawn == solver.random(5, np.random.default_rng(0))


def test_operations_are_searched_in_both_places() -> None:
    truth = StringForm(ops=("remove_vowels", "reverse"))
    solver = StringSolver()
    pairs = [Pair(t, truth.answer(t)) for t in solver.opening(10)]
    best = solver.search(pairs)[0]
    assert best.quality == 1
    assert best.form.answer("Unseen words here") == truth.answer("Unseen words here")


def test_both_concepts_and_an_exempt_part_are_searched() -> None:
    truth = TextForm(concepts=(NamedConcept(name="food"), NamedConcept(name="law")), exempt="food/drinks")
    solver = FeatureSolver()
    pairs = [Pair(w, truth.answer(w)) for w in solver.opening(120)]
    assert solver.search(pairs)[0].form == truth
    relation = RelationForm(relation="past_of", exempt="past_of/irregular")
    words = RelationSolver()
    assert words.search([Pair(w, relation.answer(w)) for w in words.opening(30)])[0].form == relation


def test_r2_is_centred() -> None:
    wave = np.sin(np.arange(50.0))
    assert centred_r2(wave + 1000, np.full(50, 1000.0)) < 0.1
    assert centred_r2(wave, wave) == 1
    assert centred_r2(np.full(5, 3.0), np.full(5, 3.05)) == 1
    assert centred_r2(np.full(5, 3.0), np.full(5, 4.0)) == 0


def test_truths_grade_as_right_and_others_do_not() -> None:
    for function in generate(4, 20):
        own = grade(function.form, function)
        assert own.right, function.name
        assert own.second_found in (None, True)
        assert own.exception_found in (None, True)
        other = hidden_function(function.kind, 999, 0)
        if other.signature.takes is function.signature.takes and other.form != function.form:
            assert grade(other.form, function).value < 0.95


def test_half_an_answer_is_graded_as_half() -> None:
    two = next(f for f in generate(4, 10, [Kind.TEXT_TWO]))
    assert isinstance(two.form, TextForm)
    one = grade(TextForm(concepts=two.form.concepts[:1]), two)
    assert one.second_found is False
    assert 0.3 < one.value < 0.9
    everything = WordList(words=("nothing",))
    assert grade(TextForm(concepts=(everything,)), two).value == 0
    exempt = next(f for f in generate(4, 20, [Kind.TEXT_EXCEPTION]) if isinstance(f.form, TextForm))
    assert isinstance(exempt.form, TextForm)
    whole = grade(TextForm(concepts=exempt.form.concepts), exempt)
    assert (whole.exception, whole.exception_found) == (0.0, False)
    silent = grade(TextForm(concepts=(everything,)), exempt)
    assert silent.exception_found is False
    assert grade(StringForm(ops=("upper",)), exempt).value == 0


def test_words_that_were_asked_are_not_scored_on() -> None:
    function = next(f for f in generate(4, 10, [Kind.TEXT_ONE]))
    assert isinstance(function.form, TextForm)
    listed = TextForm(concepts=(WordList(words=tuple(sorted(function.form.words))),))
    assert grade(listed, function).value == 1
    assert grade(listed, function, asked=function.form.words).value == 0
