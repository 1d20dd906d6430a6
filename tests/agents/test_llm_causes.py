"""An LLM words a planted effect and reads continuations; what it does not give is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from glossator.agents.causal.causal_findings import CausalMeasurement
from glossator.agents.causal.llm_effect_explanation import EffectAnswer
from glossator.agents.llm_calls.answer_parsing import schema_of
from glossator.agents.llm_calls.scripted_chat import Asked, ScriptedChat, by_form, verdicts
from glossator.agents.llm_causes import CausesReading
from glossator.agents.window_reading.reader import LlmReader
from glossator.probes.planted_causal_words import CONCEPTS
from glossator.records import BaselineName, EvidenceKind, ScoreMethod
from tests.agents.planted_causes import PlantedCauses, planted_causes
from tests.agents.planted_index import room_of

DRINKS = CONCEPTS["drinks"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedCauses:
    return planted_causes(tmp_path_factory.mktemp("causal") / "index")


def names_drinks(asked: Asked) -> str:
    return json.dumps({"label": "words for drinks", "words": list(DRINKS)})


def refuses(asked: Asked) -> str:
    return json.dumps({"label": "I'm sorry, but I can't help with that.", "words": []})


def about_drinks(claim: str, text: str) -> bool:
    return "drinks" in claim and any(word in text for word in DRINKS)


def asked(planted: PlantedCauses, explainer: Callable[[Asked], str]) -> CausalMeasurement:
    chat = ScriptedChat(by_form(verdicts(about_drinks), {schema_of(EffectAnswer).name: explainer}))
    feature = planted.causes.bench.ref(planted.planted.features["clean"])

    async def run() -> CausalMeasurement | str:
        calls, _ = room_of(chat)
        with ThreadPoolExecutor(1) as computing:
            made = await CausesReading(planted.causes, calls, LlmReader(calls, 5), computing).of(feature, ())
        await calls.close()
        return made

    made = asyncio.run(run())
    assert isinstance(made, CausalMeasurement), made
    return made


def test_the_models_words_are_scored_by_code_and_read_by_the_model(planted: PlantedCauses) -> None:
    made = asked(planted, names_drinks)
    explanation = made.findings.explanation
    assert explanation is not None
    assert "words for drinks" in explanation.text
    assert "scripted" in explanation.author
    (read,) = [s for s in made.findings.scores if s.score.reader == "scripted"]
    (computed,) = [
        s for s in made.findings.scores if s.score.reader != "scripted" and s.target_kl == read.target_kl
    ]
    for score in (read.score, computed.score):
        assert score.method is ScoreMethod.INTERVENTION
        baselines = {b.name: b.value for b in score.baselines}
        random = baselines[BaselineName.RANDOM_DIRECTION]
        assert score.value is not None
        assert random is not None
        assert score.value > random + 0.2
    ids = {e.id for e in made.evidence}
    assert {s.score.evidence for s in made.findings.scores} <= ids
    assert set(explanation.evidence) <= ids
    assert EvidenceKind.CAUSES in {e.kind for e in made.evidence}


def test_a_refusal_leaves_the_embedded_analysts_words_and_says_so(planted: PlantedCauses) -> None:
    findings = asked(planted, refuses).findings
    assert findings.explanation is not None
    assert findings.explanation.author.startswith("embedded-analyst")
    assert any("refus" in note for note in findings.notes), findings.notes
