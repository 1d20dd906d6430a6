"""Killed at the beginning and at the end of every step, and resumed: the same verdict, nothing paid twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.investigator.graph import STEPS
from glossator.agents.llm_calls.scripted_chat import ScriptedChat
from glossator.errors import EndpointError
from glossator.memory.finding_store import FindingStore
from glossator.records import FeatureInvestigation, Finding, TraceEvent, TraceKind
from tests.agents.investigator_fixtures import (
    HYPOTHESES,
    NAMES,
    SEA,
    World,
    claim_answer,
    comparable,
    model_of,
    silent_analyst,
    true_claims,
)
from tests.agents.planted_index import PlantedIndex, planted_index


class KilledError(BaseException):
    """As sudden as a signal."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted_index(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def preparation(planted: PlantedIndex) -> FeaturePreparation:
    return silent_analyst(planted)


def model() -> ScriptedChat:
    """Wrong at first, so that claims are refined."""
    firsts = claim_answer(('the word "ship"', ["ship"]))
    return model_of({HYPOTHESES: lambda a: true_claims(a) if "Wrong on:" in a.question else firsts})


class Whole:
    """What an investigation that nobody killed comes to."""

    def __init__(self, world: World) -> None:
        self.model = model()
        self.result: FeatureInvestigation = world.investigate(SEA, self.model, read=True, keep=True)
        self.events = [s.event for s in world.stored(self.result.id)]
        self.findings = found_in(world)


@pytest.fixture(scope="module")
def whole(
    planted: PlantedIndex, preparation: FeaturePreparation, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    return Whole(World(planted, preparation, tmp_path_factory.mktemp("whole")))


def found_in(world: World) -> dict[str, Finding]:
    stored = FindingStore(world.ledger).all(NAMES)
    return {s.finding.id: s.finding for s in stored}


def last_of(events: list[TraceEvent], step: str) -> int:
    return max(e.number for e in events if e.step == step)


def test_every_kind_of_step_is_taken(whole: Whole) -> None:
    taken = {e.step.split("-")[0] for e in whole.events if e.kind is TraceKind.NODE}
    assert taken == set(STEPS)


@pytest.mark.parametrize("at_the_end", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("name", STEPS)
def test_killed_and_resumed(
    planted: PlantedIndex,
    preparation: FeaturePreparation,
    tmp_path: Path,
    whole: Whole,
    name: str,
    at_the_end: bool,
) -> None:
    step = f"{name}-1" if f"{name}-1" in {e.step for e in whole.events} else name
    number = last_of(whole.events, step) if at_the_end else 0
    world, alive = World(planted, preparation, tmp_path), [True]

    def kill(event: TraceEvent) -> None:
        if alive and (event.step, event.number) == (step, number):
            alive.clear()
            raise KilledError

    identity, chat = world.begin(SEA), model()
    with pytest.raises(KilledError):
        world.investigate(SEA, chat, identity=identity, read=True, keep=True, listeners=[kill])
    before = [e.step for e in world.events]
    world.events.clear()
    result = world.investigate(SEA, chat, identity=identity, read=True, keep=True)
    assert comparable(result) == comparable(whole.result)
    assert len(chat.requests) == len(whole.model.requests)
    assert len({(r.messages, r.sample, r.max_tokens) for r in chat.requests}) == len(chat.requests)
    again = {e.step for e in world.events} & set(before)
    assert again <= {step}
    stored = [(s.event.step, s.event.number, s.event.kind) for s in world.stored(identity)]
    assert sorted(stored) == sorted((e.step, e.number, e.kind) for e in whole.events)
    assert found_in(world) == whole.findings
    assert world.store.find(identity).state == "finished"
    assert len(world.ledger.card_history(result.feature)) == 1


def test_a_finished_one_is_read_not_run(
    planted: PlantedIndex, preparation: FeaturePreparation, tmp_path: Path
) -> None:
    world, chat = World(planted, preparation, tmp_path), model()
    identity = world.begin(SEA)
    first = world.investigate(SEA, chat, identity=identity, keep=True)
    asked = len(chat.requests)
    assert world.investigate(SEA, chat, identity=identity, keep=True) == first
    assert len(chat.requests) == asked


def test_a_failure_is_noted_and_can_be_resumed(
    planted: PlantedIndex, preparation: FeaturePreparation, tmp_path: Path
) -> None:
    world, chat, broken = World(planted, preparation, tmp_path), model(), [True, True]

    def fail(event: TraceEvent) -> None:
        if broken and (event.step, event.number) == ("experiment-1", 0):
            broken.pop()
            raise EndpointError("the endpoint is gone")

    identity = world.begin(SEA)
    for _ in range(2):
        with pytest.raises(EndpointError):
            world.investigate(SEA, chat, identity=identity, keep=True, listeners=[fail])
        assert world.store.find(identity).state == "failed"
    assert sum(s.event.kind is TraceKind.FAILED for s in world.stored(identity)) == 2
    world.investigate(SEA, chat, identity=identity, keep=True, listeners=[fail])
    assert world.store.find(identity).state == "finished"


def test_checkpoints_hold_json_alone_and_stay_small(
    planted: PlantedIndex, preparation: FeaturePreparation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")
    world = World(planted, preparation, tmp_path)
    world.investigate(SEA, model(), keep=True)
    assert (tmp_path / "steps.sqlite").stat().st_size < 1_500_000
