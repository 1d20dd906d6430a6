"""Next-token effects: concepts, the null, the dose–response curve, and what is said of them."""

from __future__ import annotations

import asyncio
import json
import math

import pytest
import torch

from glossator.agents.causal.concept import concept_of
from glossator.agents.causal.effect_explanation import LEAD, effect_explanation, written_otherwise
from glossator.agents.causal.effects import effects_with_null, measure_effects
from glossator.agents.causal.llm_effect_explanation import (
    NO_EFFECT,
    NotExplained,
    effect_prompt,
    explain_effect,
    named_words,
)
from glossator.agents.causal.next_token_changes import (
    NextTokenChanges,
    concept_changes,
    log_odds_change,
    next_token_changes,
)
from glossator.agents.causal.null_directions import null_band, null_directions
from glossator.agents.causal.random_effects import explained_random, steering_vector, validate_prompts
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Scripted, ScriptedChat
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.probes.interventions.strength_search import next_token_kl
from glossator.probes.vocabulary import Vocabulary
from glossator.prompts.fence import neutral
from glossator.records import AnyOf, EffectFindings, Explanation, ExplanationMethod, Split, TokenIn, WordIn
from tests.agents.causal_planted import measured, planted_bench


def test_null_directions_have_the_norm_and_are_as_many_as_asked() -> None:
    direction = torch.tensor([3.0, 0.0, 4.0, 0.0])
    few, many = null_directions(direction, 3, 7), null_directions(direction, 200, 7)
    assert torch.allclose(many.norm(dim=1), torch.tensor(5.0))
    assert torch.equal(few, many[:3])
    assert not torch.equal(few, null_directions(direction, 3, 8))
    assert many.mean(dim=0).abs().max() < 0.6


def test_the_null_band_holds_one_more_draw() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn((400, 9), generator=generator).numpy()
    bands = [null_band(row[1:]) for row in draws]
    inside = [b.low <= row[0] <= b.high for b, row in zip(bands, draws, strict=True) if b is not None]
    assert len(inside) == 400
    assert 0.92 <= sum(inside) / 400 <= 0.985
    assert null_band(torch.tensor([1.0, math.nan]).numpy()) is None


def test_log_odds_change_by_hand() -> None:
    clean = torch.tensor([[0.1, 0.2, 0.7], [0.25, 0.25, 0.5]]).log()
    steered = torch.tensor([[0.3, 0.3, 0.4], [0.25, 0.25, 0.5]]).log()
    change = log_odds_change(clean, steered, [0, 1])
    assert change.tolist() == pytest.approx([math.log(0.6 / 0.4) - math.log(0.3 / 0.7), 0.0], abs=1e-6)
    assert log_odds_change(clean, steered, []).tolist() == [0.0, 0.0]
    broken = torch.full_like(steered, math.nan)
    assert log_odds_change(clean, broken, [0]).isnan().all()
    assert log_odds_change(clean, broken, []).isnan().all()


def _changes(contribution: list[float], rising: list[int], special: frozenset[int]) -> NextTokenChanges:
    n = len(contribution)
    return NextTokenChanges(
        vocabulary=Vocabulary(tuple(f" t{i}" for i in range(n)), special),
        clean=torch.full((n,), 1 / n),
        steered=torch.full((1, n), 1 / n),
        log_change=torch.zeros((1, n)),
        contribution=torch.tensor([contribution]),
        rising=torch.tensor([rising]),
        kl=torch.zeros((1, 4)),
        clean_log_probs=torch.zeros((4, n)),
    )


def test_a_concept_holds_what_rises_in_most_prompts_and_no_special_token() -> None:
    changes = _changes([0.5, 0.4, 0.3, 0.9, -0.1], [4, 2, 3, 4, 0], frozenset({3}))
    concept = concept_of(changes, 0)
    assert concept.ids == (0, 2)
    assert concept.texts == (" t0", " t2")
    assert concept.contributions == pytest.approx((0.5, 0.3))
    assert concept_of(changes, 0, most=1).ids == (0,)
    assert not concept_of(_changes([-0.1, 0.0], [4, 4], frozenset()), 0)
    assert not concept_of(_changes([0.1, 0.2], [2, 1], frozenset()), 0)


def test_no_vector_changes_nothing_at_all() -> None:
    bench = planted_bench().bench
    prompts = [p.ids for p in validate_prompts(bench, 0)]
    site, zero = bench.dictionary.output_site, torch.zeros((1, bench.direction(0).shape[0]))
    changes = next_token_changes(bench.runs, prompts, site, zero)
    assert changes.kl.abs().max() == 0
    assert changes.log_change.abs().max() == 0
    assert not concept_of(changes, 0)
    found = concept_changes(bench.runs, prompts, site, zero, [[5, 6]])
    assert found.change.abs().max() == 0
    assert found.kl.abs().max() == 0


def test_changes_of_several_directions_are_those_of_each() -> None:
    bench = planted_bench().bench
    prompts = [p.ids for p in validate_prompts(bench, 0)]
    site = bench.dictionary.output_site
    vectors = torch.stack([steering_vector(bench, i, 0.5) for i in range(3)])
    together = next_token_changes(bench.runs, prompts, site, vectors)
    for i in range(3):
        alone = next_token_changes(bench.runs, prompts, site, vectors[i : i + 1])
        assert torch.allclose(together.kl[i], alone.kl[0], atol=1e-4)
        assert torch.allclose(together.contribution[i], alone.contribution[0], atol=1e-5)
    steered = together.clean_log_probs + 0  # the KL is the one that strengths are matched by
    assert torch.allclose(
        next_token_kl(together.clean_log_probs, steered), torch.zeros(len(prompts)).double()
    )


@pytest.mark.parametrize("name", ["clean", "output", "sports"])
def test_the_planted_words_are_found(name: str) -> None:
    effects = measured(name).effects.findings
    assert effects.split is Split.VALIDATE
    assert len(effects.concept) == 12
    assert set(effects.concept) <= set(planted_bench().truth.concepts[name])
    assert {shift.token for shift in effects.raised[:12]} == set(effects.concept)
    assert all(s.steered > s.clean and s.change > 0 for s in effects.raised)
    assert all(s.steered < s.clean and s.change < 0 for s in effects.lowered)
    assert not {s.token for s in effects.lowered} & set(effects.concept)


def test_the_dose_rises_beyond_the_null_and_is_measured_at_every_strength() -> None:
    up, effects = measured("clean").up, measured("clean").effects.findings
    multiples = [point.multiple for point in effects.dose]
    assert multiples == sorted(multiples)
    assert {t.multiple for t in up.targets} <= set(multiples)
    changes = [point.change for point in effects.dose]
    assert changes == sorted(changes)
    for point in effects.dose:
        assert point.interval.low <= point.change <= point.interval.high
        assert point.change > point.null_high


@pytest.mark.parametrize("name", ["random", "input"])
def test_what_random_directions_do_as_well_is_explained_but_not_beyond_the_null(name: str) -> None:
    planted, found = planted_bench(), measured(name).effects
    assert found.findings.concept == found.concept.texts
    assert found.concept
    assert not found.findings.beyond_null
    assert effect_explanation(planted.bench, found.findings) is not None


def test_without_tokens_that_rise_there_is_no_explanation() -> None:
    planted, found = planted_bench(), measured("clean").effects.findings
    assert found.beyond_null
    assert effect_explanation(planted.bench, found.model_copy(update={"concept": ()})) is None


def test_the_same_settings_give_the_same_findings() -> None:
    bench, found = planted_bench().bench, measured("clean")
    feature = found.up.feature.index
    assert measure_effects(bench, feature, found.up) == found.effects.findings
    null = explained_random(bench, feature, found.up)
    assert torch.equal(null.directions, found.effects.null.directions)
    assert [c.ids for c in null.concepts] == [c.ids for c in found.effects.null.concepts]


def test_turning_it_down_lowers_the_concept() -> None:
    planted, found = planted_bench(), measured("clean")
    down = found.up.model_copy(
        update={"sign": -1, "targets": (found.up.targets[0].model_copy(update={"multiple": -0.5}),)}
    )
    dose = effects_with_null(planted.bench, found.up.feature.index, found.up, down).findings.dose
    assert dose[0].multiple == -0.5
    assert dose[0].change < dose[0].null_low < 0


def test_the_effect_in_words() -> None:
    bench, effects = planted_bench().bench, measured("clean").effects.findings
    explanation = effect_explanation(bench, effects)
    assert explanation is not None
    assert explanation.method is ExplanationMethod.EFFECTS
    assert explanation.text.startswith(LEAD)
    assert effects.concept[0].strip() in explanation.text
    assert isinstance(explanation.predicate, TokenIn)
    assert set(effects.concept) <= set(explanation.predicate.tokens)
    assert len(explanation.evidence) == 1
    assert effect_explanation(bench, effects) == explanation


def test_words_written_otherwise() -> None:
    known = Vocabulary((" ship", "Ship", " Ship", " SHIP", "ship", " a", "a", "ing", " Ing", ".", " ."))
    assert written_otherwise((" ship",), known) == (" ship", " Ship", "Ship", " SHIP")
    assert written_otherwise(("ing", " a", "."), known) == ("ing", " a", ".")


def test_named_words_and_signs() -> None:
    known = Vocabulary((" !", "!", " ship"))
    assert named_words(["Ship", " sea ", "two words", ""], known) == WordIn(words=("ship", "sea"))
    both = named_words(["ship", "!"], known)
    assert both == AnyOf(parts=(WordIn(words=("ship",)), TokenIn(tokens=(" !", "!"))))
    assert named_words(["two words", "…"], known) is None


def _explained(said: str, effects: EffectFindings) -> tuple[Explanation | NotExplained, ScriptedChat]:
    chat = ScriptedChat(lambda _: Scripted(said), model="writer")

    async def run() -> Explanation | NotExplained:
        calls = CallRoom(
            {Role.EXPLAINER: chat},
            budget=Budget(Limits.parse("10calls")),
            store=None,
            slots=2,
            counter=TokenCounter(),
            prices=Prices(),
        )
        try:
            return await explain_effect(calls, planted_bench().bench, effects)
        finally:
            await calls.close()

    return asyncio.run(run()), chat


def test_an_llm_explains_from_tokens_and_validate_prompts() -> None:
    effects = measured("clean").effects.findings
    answer = json.dumps({"label": "drinks, above all coffee", "words": ["coffee", "tea"]})
    found, chat = _explained(answer, effects)
    assert isinstance(found, Explanation)
    assert found.text == f"{LEAD}drinks, above all coffee"
    assert found.predicate == WordIn(words=("coffee", "tea"))
    assert found.author == "effects:writer"
    assert found.prompts[0].name == "explain_effect"
    asked = chat.requests[0].messages[1].content
    assert "coffee" in asked
    assert asked.count(" » ") == 10


def test_prompts_hold_text_of_validate_alone() -> None:
    bench, effects = planted_bench().bench, measured("clean").effects.findings
    shown = effect_prompt(bench, effects).messages[1].content
    lines = [line.split(" » ")[0].split("|", 1)[1] for line in shown.splitlines() if " » " in line]
    text = bench.room.validate.text
    stream = "".join(text.strings(0, len(text)))
    opener = {
        "".join(bench.runs.subject.vocabulary.texts[i] for i in p.ids)
        for p in validate_prompts(bench, effects.feature.index)
    }
    wholes = [neutral(whole) for whole in (stream, *opener)]
    assert lines
    assert all(any(line.strip() in whole for whole in wholes) for line in lines)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "empty answer"),
        ('{"label": "unknown", "words": []}', "placeholder"),
        ("I cannot help with that.", ""),
    ],
)
def test_what_is_no_label_has_a_reason(said: str, reason: str) -> None:
    found, _ = _explained(said, measured("clean").effects.findings)
    assert isinstance(found, NotExplained)
    assert reason in found.reason


def test_no_model_is_asked_where_nothing_rises() -> None:
    nothing = measured("random").effects.findings.model_copy(update={"concept": ()})
    found, chat = _explained("{}", nothing)
    assert found == NotExplained(NO_EFFECT)
    assert not chat.requests
