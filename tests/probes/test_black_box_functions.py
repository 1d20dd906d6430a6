"""Black boxes: the generators, the closed language, and what an agent can see."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.errors import ToolError, UserError
from glossator.probes.black_boxes.box import BlackBox, Signature, Takes
from glossator.probes.black_boxes.concepts import (
    CONCEPTS,
    RELATIONS,
    held_out_words,
    open_words,
    parts_of_concepts,
    parts_of_relations,
)
from glossator.probes.black_boxes.draw_strings import comes_to_less
from glossator.probes.black_boxes.families import FAMILIES, SIMPLE
from glossator.probes.black_boxes.forms import form_json, parse_form
from glossator.probes.black_boxes.generate import HiddenFunction, generate, hidden_function
from glossator.probes.black_boxes.kinds import RECIPE, Kind
from glossator.probes.black_boxes.look_alikes import look_alikes
from glossator.probes.black_boxes.numeric_form import NumericForm
from glossator.probes.black_boxes.string_form import LONGEST, OPS, OpName, StringForm
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm, WordList

SEED = 11


@pytest.fixture(scope="module")
def functions() -> list[HiddenFunction]:
    return generate(SEED, 100)


def grid(function: HiddenFunction, n: int = 101) -> list[float]:
    return [float(v) for v in np.linspace(function.signature.low, function.signature.high, n)]


def test_the_same_seed_gives_the_same_functions_and_outputs(functions: list[HiddenFunction]) -> None:
    again = generate(SEED, 100)
    assert [f.form for f in again] == [f.form for f in functions]
    noisy = [f for f in functions if f.kind is Kind.NUMERIC_NOISE]
    for one, other in zip(noisy, (f for f in again if f.kind is Kind.NUMERIC_NOISE), strict=True):
        x = grid(one, 15)
        assert [one.run(v) for v in x] == [other.run(v) for v in reversed(x)][::-1]
    others = generate(SEED + 1, 100)
    assert sum(a.form == b.form for a, b in zip(functions, others, strict=True)) < 20


def test_a_function_does_not_depend_on_which_others_are_drawn(functions: list[HiddenFunction]) -> None:
    few = generate(SEED, 6, [Kind.TEXT_TWO, Kind.NUMERIC_NOISE])
    by_name = {f.name: f.form for f in functions}
    assert all(by_name[f.name] == f.form for f in few)


def test_kinds_take_turns_or_follow_the_recipe(functions: list[HiddenFunction]) -> None:
    assert Counter(f.kind for f in functions) == dict.fromkeys(Kind, 10)
    assert sum(RECIPE.values()) == pytest.approx(1)
    drawn = Counter(f.kind for f in generate(3, 1000, recipe=True))
    for kind, share in RECIPE.items():
        assert drawn[kind] / 1000 == pytest.approx(share, abs=3 * (share / 1000) ** 0.5)
    with pytest.raises(UserError, match="ask for 1 or more"):
        generate(0, 0)


def test_families_are_drawn_alike_and_none_is_left_out() -> None:
    drawn = Counter(
        f.form.first.family for f in generate(5, 320, [Kind.NUMERIC_CLEAN]) if isinstance(f.form, NumericForm)
    )
    assert set(drawn) == set(SIMPLE)
    assert min(drawn.values()) >= 7


def test_truths_are_executable_and_survive_json(functions: list[HiddenFunction]) -> None:
    for function in functions:
        assert parse_form(form_json(function.form)) == function.form
        assert function.form.describe()
        if function.kind in (Kind.NUMERIC_CLEAN, Kind.NUMERIC_COMPOSED):
            assert all(
                function.run(x) == pytest.approx(function.form.answer(x), abs=1e-4) for x in grid(function)
            )


def test_exceptions_show_and_noise_is_as_told(functions: list[HiddenFunction]) -> None:
    for f in functions:
        if f.kind is Kind.NUMERIC_EXCEPTION:
            assert isinstance(f.form, NumericForm)
            assert f.form.exception is not None
            e, x = f.form.exception, np.array(grid(f, 801))
            inside = (x >= e.low) & (x <= e.high)
            assert 0 < inside.mean() < 0.6
            whole = f.form.regular(x)
            assert np.sqrt(np.mean((whole[inside] - e.value) ** 2)) > 0.4 * whole.std()
            assert np.std([float(f.run(float(v))) for v in x[inside]]) == pytest.approx(0.1, abs=0.08)
        if f.kind is Kind.NUMERIC_NOISE:
            noise = [float(f.run(v)) - float(f.undisturbed(v)) for v in grid(f, 301)]
            assert abs(np.mean(noise)) < 0.25
            assert 0.4 < np.std(noise) < 1.3


def test_approximations_follow_their_family_and_are_not_it(functions: list[HiddenFunction]) -> None:
    for f in functions:
        if f.kind is Kind.NUMERIC_APPROXIMATION:
            x = grid(f, 401)
            told = np.array([float(f.form.answer(v)) for v in x])
            ran = np.array([float(f.run(v)) for v in x])
            assert np.mean((told - ran) ** 2) <= 0.05 * told.var()


def test_compositions_do_not_come_to_less(functions: list[HiddenFunction]) -> None:
    assert comes_to_less(("reverse", "reverse"))
    assert comes_to_less(("upper", "lower"))
    assert comes_to_less(("upper", "count_words"))
    assert not comes_to_less(("reverse", "upper"))
    for f in functions:
        if f.kind is Kind.STRING_COMPOSED:
            assert isinstance(f.form, StringForm)
            first, second = f.form.ops
            assert not comes_to_less((first, second))


def test_concepts_fire_and_their_exempt_part_does_not(functions: list[HiddenFunction]) -> None:
    for f in functions:
        if isinstance(f.form, TextForm):
            outputs = {
                w: float(f.run(w)) for p in parts_of_concepts() for w in (*open_words(p), *held_out_words(p))
            }
            assert {w for w, a in outputs.items() if a > 0.5} == f.form.words
            assert all(0 <= a <= 1 for a in outputs.values())
            assert len(f.form.concepts) == (2 if f.kind is Kind.TEXT_TWO else 1)
        if isinstance(f.form, RelationForm):
            assert f.form.exempt is not None
            assert f.run(open_words(f.form.exempt)[0]) == "undefined"
            kept = next(
                p for p in parts_of_relations() if p.startswith(f.form.relation) and p != f.form.exempt
            )
            word = held_out_words(kept)[0]
            assert f.run(word) == RELATIONS[f.form.relation][kept.split("/")[1]][word]


def test_words_stand_in_one_place_and_halves_are_apart() -> None:
    every = [w for parts in CONCEPTS.values() for words in parts.values() for w in words]
    assert len(every) == len(set(every))
    for part in (*parts_of_concepts(), *parts_of_relations()):
        assert not set(open_words(part)) & set(held_out_words(part))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(OPS)), st.sampled_from(sorted(OPS)), st.text(max_size=40))
def test_operations_take_any_text(first: OpName, second: OpName, text: str) -> None:
    assert len(StringForm(ops=(first, second)).run(text)) <= LONGEST


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"string","ops":["__import__"]}',
        '{"kind":"string","ops":[]}',
        '{"kind":"code","source":"print(1)"}',
        '{"kind":"numeric","first":{"family":"step","shape":[],"weights":[1,2]}}',
        '{"kind":"numeric","first":{"family":"linear","weights":[1,NaN]}}',
        '{"kind":"numeric","first":{"family":"linear","weights":[1,2]},"join":"sum"}',
        '{"kind":"numeric","first":{"family":"polynomial","shape":[900],"weights":[1,2]}}',
        '{"kind":"numeric","first":{"family":"linear","weights":[1,2]},"exception":{"low":2,"high":1,"value":0}}',
        '{"kind":"text","concepts":[{"kind":"concept","name":"spells"}]}',
        '{"kind":"text","concepts":[{"kind":"concept","name":"food"}],"exempt":"animals/fish"}',
        '{"kind":"relation","relation":"opposite_of","exempt":"past_of/regular"}',
        "[" * 5000,
        "os.system('true')",
    ],
)
def test_only_forms_of_the_language_are_read(text: str) -> None:
    with pytest.raises(UserError, match="not a form of the language"):
        parse_form(text)


def test_word_lists_work_like_concepts() -> None:
    form = TextForm(concepts=(WordList(words=("Robin", "owl")), NamedConcept(name="money")))
    assert form.fires("a ROBIN sang")
    assert form.fires("the loan")
    assert not form.fires("robins and owls")


def test_every_family_is_described_with_its_numbers() -> None:
    forms = [f.form for f in generate(5, 160, [Kind.NUMERIC_CLEAN, Kind.NUMERIC_COMPOSED])]
    numeric = [f for f in forms if isinstance(f, NumericForm)]
    terms = {t.family: t for f in numeric for t in (f.first, f.second) if t is not None}
    assert set(terms) == set(FAMILIES)
    for term in terms.values():
        said = term.describe()
        assert not set("{}") & set(said)
        assert format(round(term.weights[0], 2), ".6g") in said or abs(term.weights[0]) < 0.05


def test_a_box_answers_within_its_budget_and_hides_the_rest() -> None:
    asked: list[float | str] = []

    def run(given: float | str) -> float | str:
        asked.append(given)
        return float(given) * 2

    box = BlackBox(Signature(Takes.NUMBERS, -1.0, 1.0), run, inputs=2)
    assert [p.got for p in box.ask([0.5, 0.5, 9.0])] == [1.0]
    assert [p.got for p in box.ask([0.5, -1.0, 1.0])] == [1.0, -2.0]
    assert (box.left, asked) == (0, [0.5, -1.0])
    with pytest.raises(ToolError, match="takes numbers"):
        box.ask(["x"])
    assert not hasattr(box, "form")
    assert not hasattr(box, "run")


def test_look_alikes_are_three_different_functions(functions: list[HiddenFunction]) -> None:
    for function in functions[:30]:
        shown = look_alikes(function)
        assert shown == look_alikes(function)
        assert all(function.run(p.given) == p.got for p in shown.own)
        assert len({shown.own, *shown.others}) == 3


def test_hidden_functions_keep_noise_away_from_their_truth() -> None:
    function = hidden_function(Kind.NUMERIC_NOISE, 2, 0)
    assert function.undisturbed(10.0) == function.form.answer(10.0) != function.run(10.0)
