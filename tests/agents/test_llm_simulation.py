"""Simulation on planted features: who understands correlates, and what broke is counted."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import pytest

from glossator.agents.llm_calls.chat import Finish, UnscoredReason
from glossator.agents.llm_calls.scripted_chat import Asked, Scripted, ScriptedChat, always
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.llm_simulation import N_FIRING, N_RANDOM, simulation_scores
from glossator.records import BaselineName, Metric, Negatives, ScoreMethod
from tests.agents.planted_bench import (
    DEAD,
    SEA,
    SIBLING,
    asked_scores,
    baseline,
    ends_of,
    explained,
    simulator,
    value_of,
    world,
)


def test_the_truth_beats_a_sibling_and_a_shuffled_explanation_by_more_than_the_intervals() -> None:
    (true,) = asked_scores(simulation_scores, explained(SEA)).scored
    (sibling,) = asked_scores(simulation_scores, explained(SIBLING, SEA)).scored
    shuffled, empty = (baseline(true, n) for n in (BaselineName.SHUFFLED, BaselineName.EMPTY))
    assert shuffled is not None
    assert empty is not None
    assert value_of(true) > 0.9
    assert ends_of(true)[0] > ends_of(sibling)[1]
    assert ends_of(true)[0] > ends_of(shuffled)[1]
    assert value_of(sibling) > (shuffled.value or 0)
    assert (empty.value, *ends_of(empty)) == (0.0, 0.0, 0.0)
    assert (true.score.method, true.score.metric) == (ScoreMethod.SIMULATION, Metric.CORRELATION)
    assert (true.score.reader, true.score.negatives) == ("reader", Negatives.RANDOM)
    assert (true.score.n_positive, true.score.n_negative) == (N_FIRING, N_RANDOM)
    assert (shuffled.n_positive, shuffled.n_negative) == (N_FIRING, N_RANDOM)
    assert empty.n_positive is None
    assert true.score.prompt is not None
    assert true.score.prompt.name == "simulation"


def test_the_value_is_pearsons_over_the_tokens_shown() -> None:
    asking = asked_scores(simulation_scores, explained(SEA))
    (scored,) = asking.scored
    payload = cast("dict[str, list[Any]]", scored.evidence.payload)
    view = world().room.sealed
    true, predicted = [], []
    for centre, named in zip(payload["positions"], payload["predictions"], strict=True):
        row = int(view.text.row_of[centre])
        first, end = int(view.text.row_start[row]), int(view.text.row_start[row + 1])
        start = int(np.clip(centre - 16, first, max(first, end - 32)))
        strengths = np.zeros(min(start + 32, end) - start)
        for place, strength in named:
            strengths[int(place)] = strength
        eligible = view.text.eligible[start : start + len(strengths)]
        true.append(view.dense(SEA)[start : start + len(strengths)][eligible])
        predicted.append(strengths[eligible])
    wanted = float(np.corrcoef(np.concatenate(predicted), np.concatenate(true))[0, 1])
    assert value_of(scored) == pytest.approx(wanted, abs=1e-6)
    assert payload["entries_dropped"] == 0


def test_windows_stand_mixed_and_their_order_is_always_the_same() -> None:
    first, second = (asked_scores(simulation_scores, explained(SEA)) for _ in range(2))
    assert first.scored == second.scored
    payload = first.scored[0].evidence.payload
    assert isinstance(payload, dict)
    fires = payload["fires"]
    assert isinstance(fires, list)
    assert [bool(f) for f in fires] != [True] * N_FIRING + [False] * N_RANDOM
    assert len(first.reader.requests) == 6  # three prompts, and as many for the shuffled baseline


def test_the_analyst_is_read_on_the_same_windows() -> None:
    (scored,) = asked_scores(simulation_scores, explained(SIBLING, SEA), analyst=explained(SEA)).scored
    (alone,) = asked_scores(simulation_scores, explained(SEA)).scored
    analyst = baseline(scored, BaselineName.EMBEDDED_ANALYST)
    assert analyst is not None
    assert analyst.value == alone.score.value


def test_predicting_nothing_is_zero_and_not_a_success() -> None:
    (scored,) = asked_scores(simulation_scores, explained(SEA), reader=always('{"predictions": []}')).scored
    assert scored.score.value == 0.0
    low, high = ends_of(scored)
    assert low < -0.1 < 0.1 < high
    assert isinstance(scored.evidence.payload, dict)
    assert scored.evidence.payload["nothing_predicted"] is True


def test_entries_that_name_what_is_not_there_are_dropped_and_counted() -> None:
    def sloppy(asked: Asked) -> Scripted:
        entries = json.loads(simulator(asked).text)["predictions"]
        wrong = [
            {"window": 99, "token": 1, "strength": 5}, {"window": 1, "token": 0, "strength": 5},
            {"window": 1, "token": 1, "strength": 50}, {"window": "x", "token": 1, "strength": 5}, "hm",
        ]  # fmt: skip
        return Scripted(json.dumps({"predictions": entries + wrong}))

    (clean,) = asked_scores(simulation_scores, explained(SEA)).scored
    (scored,) = asked_scores(simulation_scores, explained(SEA), reader=sloppy).scored
    assert scored.score.value == clean.score.value
    assert isinstance(scored.evidence.payload, dict)
    assert scored.evidence.payload["entries_dropped"] == 15


def test_broken_answers_are_counted_and_the_rest_still_says_the_same() -> None:
    asking = asked_scores(simulation_scores, explained(SEA))
    (clean,) = asking.scored
    questions = [r.messages[-1].content for r in asking.reader.requests]
    hopeless = next(q for q in questions if explained(SEA).text in q)

    def broken_once(asked: Asked) -> Scripted:
        """Never answers one question, however often it is asked."""
        return Scripted("7 of them [maybe") if asked.question == hopeless else simulator(asked)

    (broken,) = asked_scores(simulation_scores, explained(SEA), reader=broken_once).scored
    assert broken.score.unscored == {UnscoredReason.MALFORMED.value: 5}
    assert broken.score.n_positive + broken.score.n_negative == N_FIRING + N_RANDOM - 5
    assert ends_of(clean)[0] <= value_of(broken) <= ends_of(clean)[1]


def test_without_any_answer_there_is_no_value() -> None:
    refusing = always("I cannot help with that.", Finish.REFUSAL)
    (scored,) = asked_scores(simulation_scores, explained(SEA), reader=refusing).scored
    assert scored.score.value is None
    assert scored.score.interval is None
    assert scored.score.unscored == {UnscoredReason.REFUSED.value: N_FIRING + N_RANDOM}
    assert scored.score.n_positive == scored.score.n_negative == 0


def test_prompts_too_long_for_the_model_are_halved() -> None:
    small = ScriptedChat(simulator, model="reader", context=1_050)
    (scored,) = asked_scores(simulation_scores, explained(SEA), reader=small).scored
    (clean,) = asked_scores(simulation_scores, explained(SEA)).scored
    assert scored.score.value == clean.score.value
    assert len(small.requests) > 6


def test_cut_answers_are_asked_again_with_more_room() -> None:
    def chatty(asked: Asked) -> Scripted:
        if asked.request.max_tokens < 2_000:
            return Scripted('{"predictions": [{"wi', finish=Finish.LENGTH)
        return simulator(asked)

    (scored,) = asked_scores(simulation_scores, explained(SEA), reader=chatty).scored
    assert value_of(scored) > 0.9
    assert scored.score.unscored == {}


def test_a_feature_that_never_fires_is_unscored_without_a_call() -> None:
    asking = asked_scores(simulation_scores, explained("words: never", DEAD))
    (scored,) = asking.scored
    assert scored.score.value is None
    assert scored.score.unscored == {"no window fires above the threshold": N_RANDOM}
    assert asking.reader.requests == []


def test_baselines_can_be_left_out() -> None:
    asking = asked_scores(simulation_scores, explained(SEA), settings=LlmScoringSettings(n_baseline=0))
    shuffled = baseline(asking.scored[0], BaselineName.SHUFFLED)
    assert shuffled is not None
    assert shuffled.value is None
    assert len(asking.reader.requests) == 3


def test_evidence_holds_no_text() -> None:
    (scored,) = asked_scores(simulation_scores, explained(SEA)).scored
    assert "barn" not in scored.evidence.model_dump_json()
