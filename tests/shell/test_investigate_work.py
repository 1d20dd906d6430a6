"""Investigations as the items of a labelling run, on a tiny subject."""

from __future__ import annotations

import asyncio

import pytest

from glossator import Glossator
from glossator.agent_calls import agent_models
from glossator.agents.run_work.item_work import ItemWork
from glossator.errors import BudgetError, BusyError
from glossator.investigate_work import InvestigateWork
from glossator.investigation_run import FeatureInvestigations
from glossator.memory.work_queue import Ended, Lease
from glossator.records import FeatureRef, ItemState
from tests.shell.test_investigate_command import Project, firing


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def lease_of(g: Glossator, feature: int) -> Lease:
    names = g.session.names()
    ref = FeatureRef(subject=names.subject, dictionary=names.dictionary, index=feature)
    return Lease(0, ref, "k-1", 1)


def work_in(g: Glossator) -> InvestigateWork:
    return InvestigateWork(g.session, agent_models(g.session, None, without=True), None)


def done(work: InvestigateWork, lease: Lease) -> Ended:
    async def one() -> Ended:
        try:
            return await work.do(lease, 0)
        finally:
            await work.close()

    return asyncio.run(one())


def test_a_feature_ends_with_its_investigation_and_its_stored_card(project: Project) -> None:
    feature = firing(project)
    with Glossator(**project.settings()) as g:
        work = work_in(g)
        assert isinstance(work, ItemWork)
        assert (work.wanted(0), work.wanted(1)) == (1, 0)
        first = done(work, lease_of(g, feature))
        assert first.state is ItemState.DONE
        assert first.investigation is not None
        stored = list(g.session.ledger().cards_by_id([first.card_id or ""]))
        assert stored[0].card.verdict.kind.value == first.verdict
        again = done(work_in(g), lease_of(g, feature))
        assert (again.investigation, again.card_id) == (first.investigation, first.card_id)


def test_what_concerns_one_feature_fails_that_feature(project: Project) -> None:
    with Glossator(**project.settings()) as g:
        ended = done(work_in(g), lease_of(g, 10**6))
        assert ended.state is ItemState.FAILED
        assert "1000000" in ended.reason
        assert not ended.retryable


def test_a_feature_that_another_process_is_at_is_given_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object, **__: object) -> None:
        raise BusyError("another process is at it")

    monkeypatch.setattr(FeatureInvestigations, "investigate", busy)
    monkeypatch.setattr("glossator.investigate_work._BUSY_SECONDS", 0.0)
    with Glossator(**project.settings()) as g:
        assert done(work_in(g), lease_of(g, 1)).state is ItemState.PLANNED


def test_what_concerns_the_whole_run_is_raised(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def poor(*_: object, **__: object) -> None:
        raise BudgetError("too small")

    monkeypatch.setattr(FeatureInvestigations, "investigate", poor)
    with Glossator(**project.settings()) as g, pytest.raises(BudgetError):
        done(work_in(g), lease_of(g, 1))
