"""The report over cards and outcomes as a real labelling of planted features leaves them."""

from __future__ import annotations

import pytest

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.llm_calls.scripted_chat import ScriptedChat
from glossator.agents.llm_labelling import LlmLabelling
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.probes.cofiring import cofiring
from glossator.records import Evidence, RunReport, RunSpending, VerdictKind
from glossator.report.run_page import render_run_report
from glossator.run_report import build_run_report
from tests.agents.planted_index import RULES, WORDS, oracle, planted_index, room_of
from tests.run_report.fake_runs import FakeRun


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> RunReport:
    """Three features that an oracle labels and reads, and a dead one."""
    planted = planted_index(tmp_path_factory.mktemp("planted"))
    calls, budget = room_of(ScriptedChat(oracle()))
    asked = LlmLabelling(
        calls=calls,
        budget=budget,
        explainers=ExplainerSettings(),
        scoring=LlmScoringSettings(max_firing=20, max_random=20, max_hard=20),
        windows_per_prompt=5,
    )
    labelled = list(planted.labeller(asked).label(range(len(RULES))))
    evidence: dict[str, Evidence] = {e.id: e for one in labelled for e in one.evidence}
    explore = planted.activations.explore
    return build_run_report(
        "r-planted",
        FakeRun(0).plan,
        (),
        (),
        [one.card for one in labelled],
        evidence.get,
        spending=RunSpending(),
        directions=lambda features: planted.dictionary.directions()[list(features)].numpy(),
        cofiring=lambda narrow, wide: cofiring(explore, narrow, wide),
    )


def test_true_labels_are_tested_on_their_stored_outcomes_and_hold(report: RunReport) -> None:
    found = report.discovery
    assert found.accepted == len(WORDS)
    assert found.untested == ()
    assert found.tested == len(WORDS)
    assert set(found.holding) == {RULES.index(name) for name in WORDS}
    assert all(t.p < 0.05 and t.documents > 10 for t in found.weakest)


def test_the_dead_feature_is_an_abstention_with_its_reason(report: RunReport) -> None:
    assert report.coverage.verdicts[VerdictKind.ABSTAINED.value] == 1
    (group,) = report.abstentions
    assert group.reason.startswith("dead")
    assert group.examples == (RULES.index("dead"),)


def test_scores_by_the_model_stand_with_all_baselines(report: RunReport) -> None:
    deciding = next(d for d in report.distributions if d.question == report.deciding[0])
    assert deciding.median.n == len(WORDS)
    assert {b.name for b in deciding.baselines} >= {"shuffled", "empty"}
    assert report.against_embedded


def test_the_page_can_be_drawn(report: RunReport) -> None:
    assert "3 of 3 accepted labels hold" in render_run_report(report)
