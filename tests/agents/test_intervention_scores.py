"""Intervention scores: planted effects beat every null, random directions do not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from glossator.agents.causal.concept import concept_of
from glossator.agents.causal.effect_explanation import AUTHOR, LEAD, effect_explanation, written_otherwise
from glossator.agents.causal.next_token_changes import next_token_changes
from glossator.agents.causal.random_effects import explained_random, steering_vector, validate_prompts
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Scripted, ScriptedChat, verdicts
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.scorers.interventions.carried import ContinuedText
from glossator.agents.scorers.interventions.gains import Resampling
from glossator.agents.scorers.interventions.intervention_scores import (
    NO_PREDICATE,
    NOT_REACHED,
    ScoredInterventions,
    intervention_scores,
    sealed_prompts,
)
from glossator.agents.scorers.interventions.read_interventions import READ_PROMPTS, read_intervention_scores
from glossator.agents.window_reading.reader import LlmReader
from glossator.probes.interventions.steering_prompts import SteeringPrompt
from glossator.records import (
    BaselineName,
    Explanation,
    ExplanationMethod,
    Interval,
    InterventionScore,
    Preceded,
    ScoreMethod,
    Split,
    TokenIn,
    WordIn,
)
from tests.agents.causal_planted import calibrated, measured, planted_bench, with_direction


def _explanation(name: str) -> Explanation:
    found = effect_explanation(planted_bench().bench, measured(name).effects.findings)
    assert found is not None
    return found


def _sealed() -> tuple[SteeringPrompt, ...]:
    return sealed_prompts(planted_bench().bench, measured("clean").up.feature.index)


@cache
def _scored(name: str) -> ScoredInterventions:
    found, others = measured(name), tuple(_explanation(n) for n in ("clean", "output", "sports"))
    return intervention_scores(
        planted_bench().bench, _explanation(name), found.up, others, null=found.effects.null
    )


def _baseline(score: InterventionScore, name: BaselineName) -> float:
    value = next(b.value for b in score.score.baselines if b.name is name)
    assert value is not None
    return value


def _ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


@pytest.mark.parametrize("name", ["clean", "output"])
def test_a_planted_direction_is_carried_above_all_nulls(name: str) -> None:
    for score in _scored(name).scores:
        value = score.score.value
        assert score.score.method is ScoreMethod.INTERVENTION
        assert score.score.split is Split.SEALED
        assert value is not None
        assert value > 0.3
        assert _ends(score.score.interval)[0] > 0
        assert score.excess is not None
        assert _ends(score.excess_interval)[0] > 0
        for null in BaselineName.RANDOM_DIRECTION, BaselineName.RANDOM_EXPLAINED, BaselineName.SHUFFLED:
            assert value > _baseline(score, null) + 0.2
        assert abs(_baseline(score, BaselineName.RANDOM_DIRECTION)) < 0.2
        assert abs(_baseline(score, BaselineName.SHUFFLED)) < 0.25
        assert _baseline(score, BaselineName.EMPTY) == 0
        assert score.excess == pytest.approx(value - _baseline(score, BaselineName.RANDOM_EXPLAINED))
        assert score.perplexity_clean
        assert score.perplexity_steered
        assert score.perplexity_random
        assert score.kl == pytest.approx(score.target_kl, rel=0.5)
        assert score.score.n_positive == score.score.n_negative >= 10
        for null in score.score.baselines:
            n = None if null.name is BaselineName.EMPTY else score.score.n_positive
            assert (null.n_positive, null.n_negative) == (n, n)


def test_no_strength_no_gain() -> None:
    found = measured("clean")
    still = found.up.model_copy(
        update={"targets": (found.up.targets[0].model_copy(update={"multiple": 0.0}),)}
    )
    score = intervention_scores(
        planted_bench().bench, _explanation("clean"), still, null=found.effects.null
    ).scores[0]
    assert score.score.value == 0
    assert score.kl == 0
    assert score.perplexity_steered == score.perplexity_clean
    low, high = _ends(score.score.interval)
    assert low < 0 < high


def test_levels_that_cannot_be_scored_say_why() -> None:
    found, bench = measured("clean"), planted_bench().bench
    unreached = found.up.targets[0].model_copy(update={"reached": False, "reason": "too weak"})
    up = found.up.model_copy(update={"targets": (unreached,)})
    score = intervention_scores(bench, _explanation("clean"), up).scores[0]
    assert score.score.value is None
    assert score.excess is None
    assert score.perplexity_steered is None
    assert score.score.unscored == {f"{NOT_REACHED}: too weak": len(_sealed())}
    wordless = _explanation("clean").model_copy(update={"predicate": None})
    score = intervention_scores(bench, wordless, found.up).scores[0]
    assert score.score.unscored == {NO_PREDICATE: len(_sealed())}


def test_scores_are_the_same_again_and_cite_their_evidence() -> None:
    first, found = _scored("clean"), measured("clean")
    others = tuple(_explanation(n) for n in ("clean", "output", "sports"))
    again = intervention_scores(planted_bench().bench, _explanation("clean"), found.up, others)
    assert again == first
    assert {s.score.evidence for s in first.scores} == {e.id for e in first.evidence}
    json.dumps(first.evidence[0].model_dump(mode="json"), allow_nan=False)


def test_evidence_holds_no_sealed_text() -> None:
    bench, feature = planted_bench().bench, measured("clean").up.feature.index
    evidence = _scored("clean").evidence[0].model_dump_json()
    texts = bench.runs.subject.vocabulary.texts
    for prompt in sealed_prompts(bench, feature):
        assert "".join(texts[i] for i in prompt.ids[-3:]).strip() not in evidence
        assert str(list(prompt.ids))[1:-1] not in evidence


def test_sealed_prompts_are_others_than_those_of_validate() -> None:
    bench, feature = planted_bench().bench, measured("clean").up.feature.index
    assert not {p.ids for p in sealed_prompts(bench, feature)} & {
        p.ids for p in validate_prompts(bench, feature)
    }


def _random_as_feature(seed: int) -> InterventionScore:
    """A random direction in a feature's place, through every step; explained even where it is within the
    null, so that there is something to score."""
    planted = planted_bench()
    generator = torch.Generator().manual_seed(1000 + seed)
    feature = planted.truth.features["clean"]
    direction = torch.randn(planted.truth.dictionary.directions().shape[1], generator=generator)
    bench = with_direction(planted, feature, direction)
    bench = replace(bench, settings=replace(bench.settings, targets=(1.0,), seed=seed))
    up = calibrated(bench, feature)
    null = explained_random(bench, feature, up)
    prompts = [p.ids for p in validate_prompts(bench, feature)]
    vector = steering_vector(bench, feature, up.targets[0].multiple)
    changes = next_token_changes(bench.runs, prompts, bench.dictionary.output_site, vector[None])
    concept = concept_of(changes, 0)
    tokens = written_otherwise(concept.texts, bench.runs.subject.vocabulary)
    explanation = Explanation.of(
        bench.ref(feature), AUTHOR, f"{LEAD}this", TokenIn(tokens=tokens), method=ExplanationMethod.EFFECTS
    )
    return intervention_scores(bench, explanation, up, null=null).scores[0]


def _holds_zero(score: InterventionScore) -> bool:
    low, high = _ends(score.excess_interval)
    return low <= 0 <= high


def test_a_random_direction_scores_zero_within_its_interval() -> None:
    assert sum(_holds_zero(_random_as_feature(seed)) for seed in range(2)) == 2


@pytest.mark.slow
def test_random_directions_score_zero_in_19_of_20_seeds() -> None:
    assert sum(_holds_zero(_random_as_feature(seed)) for seed in range(20)) >= 19


def test_what_continuations_carry() -> None:
    vocabulary = planted_bench().bench.runs.subject.vocabulary
    number = {text: i for i, text in enumerate(vocabulary.texts)}
    prompts = [(1, number[" coffee"]), (1, number[" the"])]
    ids = torch.tensor([[number[" tea"], number[" the"]], [number[" coffee"], number[" coffee"]]])
    text = ContinuedText(prompts, ids, vocabulary)
    assert text.carrying(TokenIn(tokens=(" tea",))).tolist() == [True, False]
    assert text.carrying(WordIn(words=("coffee",))).tolist() == [False, True]
    assert text.carrying(Preceded(by=TokenIn(tokens=(" coffee",)))).tolist() == [True, True]
    assert text.carrying(Preceded(by=TokenIn(tokens=(" the",)))).tolist() == [False, True]
    assert text.carrying(None).tolist() == [False, False]
    assert text.shown() == (" tea the", " coffee coffee")


def test_gains_by_hand() -> None:
    resampling = Resampling(("a", "a", "b", "c"), 0)
    gain = resampling.gain(np.array([1.0, 0.0, 1.0, 0.0]))
    assert gain.value == 0.5
    assert gain.interval.low < 0.5 < gain.interval.high
    flat = resampling.gain(np.zeros(4))
    assert flat.interval.low < 0 < flat.interval.high
    assert resampling.replicated(np.zeros((4, 0))) is None
    assert resampling.excess(np.ones(4), np.zeros((4, 1))) is None
    spread = np.tile(np.array([0.0, 0.5, 1.0]), (4, 1))
    excess = resampling.excess(np.ones(4), spread)
    assert excess is not None
    assert excess.value == pytest.approx(0.5)
    assert excess.interval.low == pytest.approx(0.5 - 4.303 * (0.25 * 4 / 3) ** 0.5, abs=1e-3)


def _read(script: ScriptedChat, others: tuple[Explanation, ...] = ()) -> ScoredInterventions:
    async def run() -> ScoredInterventions:
        calls = CallRoom(
            {Role.SCORER: script},
            budget=Budget(Limits.parse("100calls")),
            store=None,
            slots=4,
            counter=TokenCounter(),
            prices=Prices(),
        )
        try:
            reader = LlmReader(calls, 5)
            return await read_intervention_scores(
                planted_bench().bench, _explanation("clean"), measured("clean").up, reader, others
            )
        finally:
            await calls.close()

    return asyncio.run(run())


def _names_one(claim: str, window: str) -> bool:
    return any(word in claim for word in window.split() if len(word) > 3)


def test_a_reader_finds_the_steered_texts_without_knowing_which_they_are() -> None:
    chat = ScriptedChat(verdicts(_names_one), model="reader")
    scored = _read(chat, (_explanation("output"),))
    score = scored.scores[0]
    assert len(scored.scores) == len(scored.evidence) == 1
    assert score.score.reader == "reader"
    assert score.score.value is not None
    assert score.score.value > 0.3
    assert _baseline(score, BaselineName.RANDOM_DIRECTION) < score.score.value
    assert _baseline(score, BaselineName.SHUFFLED) < score.score.value
    assert score.score.n_positive == READ_PROMPTS
    asked = "\n".join(m.content for r in chat.requests for m in r.messages)
    bench = planted_bench().bench
    texts = bench.runs.subject.vocabulary.texts
    for prompt in sealed_prompts(bench, measured("clean").up.feature.index):
        assert "".join(texts[i] for i in prompt.ids[1:]).strip() not in asked
    assert "steered" not in asked
    assert LEAD not in asked


def test_what_the_reader_does_not_answer_is_counted() -> None:
    def mute(asked: Asked) -> Scripted:
        return Scripted("I do not know")

    score = _read(ScriptedChat(mute, model="reader")).scores[0].score
    assert score.value is None
    assert score.n_positive == 0
    assert sum(score.unscored.values()) == 3 * READ_PROMPTS
