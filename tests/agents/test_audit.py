from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue

from glossator.agents.trace.audit import AuditFlag, AuditKind, audit
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    Answer,
    Belief,
    Claim,
    ClaimStanding,
    PlannerKind,
    StoredEvent,
    TraceEvent,
    TraceKind,
    Verdict,
    VerdictKind,
)
from tests.agents.trace_fixtures import (
    LEGAL,
    ROUND_ONE,
    ROUND_SPORT,
    SPORT,
    beliefs,
    experiment,
    made_up_feature,
    made_up_request,
    tried,
)


class Told:
    """A trace made by hand."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []

    def add(
        self,
        kind: TraceKind,
        payload: object = None,
        *,
        step: str = "s",
        words: str = "w",
        ids: Sequence[str] = (),
    ) -> Told:
        number = len(self.events)
        event = TraceEvent(
            step=step,
            number=number,
            kind=kind,
            words=words,
            payload=cast("JsonValue", payload),
            evidence=tuple(ids),
        )
        self.events.append(StoredEvent(seq=number + 1, at="2026-01-01T00:00:00+00:00", event=event))
        return self

    def believes(self, believed: Sequence[Belief]) -> Told:
        return self.add(TraceKind.BELIEF, {"beliefs": [b.model_dump(mode="json") for b in believed]})

    def supposes(self) -> Told:
        for one in (LEGAL, SPORT):
            self.add(TraceKind.HYPOTHESIS, one.model_dump(mode="json"))
        return self

    def claims(self, text: str, *cited: str) -> Told:
        claim = Claim(text=text, evidence=cited, standing=ClaimStanding.SUPPORTED)
        return self.add(TraceKind.CLAIM, claim.model_dump(mode="json"), words=text)

    def decides(self, kind: VerdictKind, *cited: str) -> Told:
        verdict = Verdict(kind=kind, reason="by rule")
        return self.add(TraceKind.VERDICT, verdict.model_dump(mode="json"), ids=cited)

    def flags(self, *known: str) -> list[AuditFlag]:
        return list(audit(self.events, lambda i: i in known))

    def kinds(self, *known: str) -> list[AuditKind]:
        return [flag.kind for flag in self.flags(*known)]


def windows(quantile: float) -> dict[str, object]:
    return {"facts": [{"text": f"window 1, explore: fires 3 (quantile {quantile:.2f}) on x"}]}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "l.sqlite")


@pytest.mark.parametrize("make", [made_up_feature, made_up_request])
def test_a_clean_trace_has_no_flags(ledger: Ledger, make: Callable[[Ledger], str]) -> None:
    store = InvestigationStore(ledger)
    events = store.events(make(ledger))
    assert len(events) > 10
    assert audit(events, lambda _: False) == ()  # all that it cites, it measured itself


def test_an_unfinished_trace_has_no_flags_either(ledger: Ledger) -> None:
    events = InvestigationStore(ledger).events(made_up_feature(ledger, finish=False))
    for stop in range(len(events)):
        kinds = {f.kind for f in audit(events[:stop], lambda _: False)}
        assert kinds <= {AuditKind.IGNORED_OUTCOME}  # until its beliefs are told, an outcome is ignored
    assert audit([], lambda _: False) == ()


def test_claims_need_a_result_behind_them() -> None:
    (flag,) = Told().claims("it means cats").flags()
    assert (flag.kind, flag.step) == (AuditKind.UNSUPPORTED_CLAIM, "s")
    assert "'it means cats' cites no evidence" in flag.words
    told = Told().claims("it means cats", "e-1", "e-2")
    assert "cites e-2, which nothing measured" in told.flags("e-1")[0].words
    assert told.kinds("e-1", "e-2") == []
    measured = Told().add(TraceKind.TOOL_RESULT, ids=["e-1"]).claims("it means cats", "e-1")
    assert measured.kinds() == []
    before = Told().claims("it means cats", "e-1").add(TraceKind.TOOL_RESULT, ids=["e-1"])
    assert before.kinds() == [AuditKind.UNSUPPORTED_CLAIM]  # measured afterwards
    assert Told().add(TraceKind.CLAIM, words="contradiction: f-1 and f-2 …").kinds() == []
    assert Told().add(TraceKind.CLAIM, words="no payload").kinds() == [AuditKind.UNSUPPORTED_CLAIM]


def test_so_do_verdicts_that_let_a_label_stand() -> None:
    assert Told().decides(VerdictKind.ACCEPTED).kinds() == [AuditKind.UNSUPPORTED_CLAIM]
    assert Told().decides(VerdictKind.TENTATIVE, "e-1").kinds() == [AuditKind.UNSUPPORTED_CLAIM]
    assert Told().decides(VerdictKind.TENTATIVE, "e-1").kinds("e-1") == []
    assert Told().decides(VerdictKind.ABSTAINED).kinds() == []


def test_windows_that_are_the_strongest_alone() -> None:
    def told(*quantiles: float) -> Told:
        made = Told()
        for number, quantile in enumerate(quantiles):
            made.add(TraceKind.TOOL_RESULT, windows(quantile), ids=[f"e-{number}"])
        return made

    (flag,) = told(0.97, 0.9).claims("it means cats", "e-0", "e-1").flags()
    assert flag.kind is AuditKind.CHERRY_PICKED
    assert "above quantile 0.90 alone" in flag.words
    assert told(0.97, 0.2).claims("it means cats", "e-0").kinds() == []  # weaker ones were looked at
    other = told(0.97).add(TraceKind.TOOL_RESULT, {"facts": []}, ids=["e-test"])
    assert other.claims("it means cats", "e-0", "e-test").kinds() == []
    assert told(0.97).kinds() == []
    repeated = told(0.97).claims("window 1, explore: fires 3 (quantile 0.97) on x", "e-0")
    assert repeated.kinds() == []  # it says no more than the tool
    tested = {"facts": [{"text": "expected fires, was fires at 9, most on x (quantile 0.82)"}]}
    assert Told().add(TraceKind.TOOL_RESULT, tested, ids=["e-0"]).claims("cats", "e-0").kinds() == []


def test_tests_that_could_only_agree() -> None:
    def call(whose: str, *expectations: str) -> dict[str, object]:
        return {"hypothesis": whose, "tests": [{"text": "t", "expectation": e} for e in expectations]}

    (flag,) = Told().add(TraceKind.TOOL_CALL, call("h-1", "fires", "fires", "fires")).flags()
    assert flag.kind is AuditKind.ONE_SIDED
    assert "all 3 texts tried for h-1" in flag.words
    assert Told().add(TraceKind.TOOL_CALL, call("h-1", "fires", "fires")).kinds() == []  # too few to say
    assert Told().add(TraceKind.TOOL_CALL, call("h-1", "fires", "fires", "silent")).kinds() == []
    later = Told().add(TraceKind.TOOL_CALL, call("h-1", "fires", "fires", "fires"))
    assert later.add(TraceKind.TOOL_CALL, call("h-1", "silent")).kinds() == []
    tool = {"arguments": {"feature": 3, "texts": ["a"] * 3, "expectations": ["fires"] * 3, "why": "w"}}
    assert Told().add(TraceKind.TOOL_CALL, tool).kinds() == [AuditKind.ONE_SIDED]
    assert Told().add(TraceKind.TOOL_CALL, {"tool": "windows", "arguments": {"feature": 3}}).kinds() == []
    # Where beliefs are told, only the one that leads in the end has to face what could refute it.
    also = (
        Told()
        .add(TraceKind.TOOL_CALL, call(SPORT.id, *["fires"] * 3))
        .believes(beliefs(legal=2.0, sport=0.1))
    )
    assert also.kinds() == []
    leads = (
        Told()
        .add(TraceKind.TOOL_CALL, call(SPORT.id, *["fires"] * 3))
        .believes(beliefs(legal=0.1, sport=2.0))
    )
    assert leads.kinds() == [AuditKind.ONE_SIDED]


def test_an_outcome_that_nobody_minded() -> None:
    failed = ROUND_SPORT.model_dump(mode="json")

    def told() -> Told:
        return Told().supposes().believes(beliefs(legal=0.5, sport=1.0))

    (flag,) = told().add(TraceKind.TOOL_RESULT, failed, ids=["e-1"]).flags()
    assert flag.kind is AuditKind.IGNORED_OUTCOME
    assert f"4 of 4 texts spoke against {SPORT.id}" in flag.words
    same = told().add(TraceKind.TOOL_RESULT, failed, ids=["e-1"]).believes(beliefs(legal=0.9, sport=1.0))
    assert same.kinds() == [AuditKind.IGNORED_OUTCOME]  # only the belief in another one changed
    minded = told().add(TraceKind.TOOL_RESULT, failed, ids=["e-1"]).believes(beliefs(legal=0.9, sport=-2.0))
    assert minded.kinds() == []
    went_well = told().add(TraceKind.TOOL_RESULT, ROUND_ONE.model_dump(mode="json"), ids=["e-1"])
    assert went_well.kinds() == []
    few = experiment(SPORT, [tried("a", "fires", 0.0), tried("b", "fires", 0.0)]).model_dump(mode="json")
    assert told().add(TraceKind.TOOL_RESULT, few, ids=["e-1"]).kinds() == []
    request = Told().add(TraceKind.TOOL_RESULT, failed, ids=["e-1"])  # a tool's test: no hypothesis entered
    assert request.kinds() == []


def test_a_leader_that_failed_and_was_accepted() -> None:
    def told(kind: VerdictKind) -> Told:
        made = Told().supposes().add(TraceKind.TOOL_RESULT, ROUND_SPORT.model_dump(mode="json"), ids=["e-1"])
        return made.believes(beliefs(legal=-1.0, sport=2.0)).decides(kind, "e-1")

    (flag,) = told(VerdictKind.ACCEPTED).flags()
    assert flag.kind is AuditKind.FAILED_LEADER
    assert f"{SPORT.id} was accepted although 4 of its 4" in flag.words
    assert told(VerdictKind.ABSTAINED).kinds() == []
    other = Told().supposes().add(TraceKind.TOOL_RESULT, ROUND_SPORT.model_dump(mode="json"), ids=["e-1"])
    other.believes(beliefs(legal=2.0, sport=-1.0)).decides(VerdictKind.ACCEPTED, "e-1")
    assert other.kinds() == []


def test_beliefs_change_by_measuring_alone() -> None:
    first, second = beliefs(legal=0.5, sport=0.1), beliefs(legal=2.5, sport=0.1)
    (flag,) = Told().believes(first).believes(second).flags()
    assert flag.kind is AuditKind.UNTESTED_BELIEF
    assert LEGAL.id in flag.words
    tested = Told().believes(first).add(TraceKind.TOOL_RESULT, ids=["e-1"]).believes(second)
    assert tested.kinds() == []
    said = Told().believes(first).add(TraceKind.TOOL_RESULT, {"findings": []}).believes(second)
    assert said.kinds() == [AuditKind.UNTESTED_BELIEF]  # a result without evidence measured nothing
    assert Told().believes(first).believes(first).kinds() == []
    entered = Told().believes(beliefs(legal=0.5)).believes(beliefs(legal=0.5, both=3.0))
    assert entered.kinds() == []  # another one entered: only probabilities moved


def test_prompts_need_replies() -> None:
    asked = (
        Told().add(TraceKind.PROMPT, step="a").add(TraceKind.PROMPT, step="a").add(TraceKind.REPLY, step="a")
    )
    assert asked.kinds() == []  # it may still be waiting
    (flag,) = asked.add(TraceKind.NODE, step="b").flags()
    assert (flag.kind, flag.step) == (AuditKind.UNANSWERED_PROMPT, "a")
    assert "1 of 2 prompts" in flag.words
    limited = (
        Told().add(TraceKind.PROMPT, step="a").add(TraceKind.LIMIT, step="a").add(TraceKind.NODE, step="b")
    )
    assert limited.kinds() == []
    ended = Told().add(TraceKind.PROMPT).add(TraceKind.FINISHED)
    assert ended.kinds() == [AuditKind.UNANSWERED_PROMPT]


def test_nothing_follows_the_end() -> None:
    assert Told().add(TraceKind.NODE).add(TraceKind.FINISHED).kinds() == []
    (flag,) = Told().add(TraceKind.FINISHED).add(TraceKind.NODE, step="x").add(TraceKind.NODE).flags()
    assert (flag.kind, flag.step) == (AuditKind.AFTER_THE_END, "x")
    assert "2 events" in flag.words
    answer = Answer(
        investigation="i-1",
        request="r",
        claims=(),
        enough=False,
        planner=PlannerKind.RULES,
        stopped="20 calls",
    ).model_dump(mode="json")
    assert Told().add(TraceKind.FINISHED, answer).add(TraceKind.NODE).kinds() == []  # gone on with
    whole = Told().add(TraceKind.FINISHED, {**answer, "stopped": ""}).add(TraceKind.NODE)
    assert whole.kinds() == [AuditKind.AFTER_THE_END]


def test_failing_again_and_again() -> None:
    def told(*tools: str) -> Told:
        made = Told()
        for tool in tools:
            made.add(TraceKind.TOOL_ERROR, {"tool": tool})
        return made

    (flag,) = told("steer", "steer", "steer", "steer").flags()
    assert flag.kind is AuditKind.REPEATED_FAILURE
    assert "steer failed 3 times in a row" in flag.words
    assert told("steer", "ablate", "steer", "steer").kinds() == []
    between = told("steer", "steer").add(TraceKind.TOOL_RESULT).add(TraceKind.TOOL_ERROR, {"tool": "steer"})
    assert between.kinds() == []
    crashed = Told()
    for number in range(3):
        crashed.add(TraceKind.FAILED, step=f"failed-{number}", words="no space left")
    assert crashed.flags()[0].words == "the investigation failed 3 times, last: no space left"


def test_payloads_of_any_form_are_read_past() -> None:
    told = Told()
    odd: list[object] = [None, 3, "text", [1, [2]], {"beliefs": "none"}, {"tests": [3, None]}, {"tool": 4}]
    for kind in TraceKind:
        if kind not in (TraceKind.FINISHED, TraceKind.CLAIM, TraceKind.PROMPT):
            for payload in odd:
                told.add(kind, payload)
    assert set(told.kinds()) == {AuditKind.REPEATED_FAILURE}
