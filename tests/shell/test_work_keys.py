"""Which settings have features of a labelling run done again, and which leave them done."""

from __future__ import annotations

import pytest

from glossator.agents.llm_calls.chat import Role
from glossator.errors import SettingsError
from glossator.labelling_run import work_key
from glossator.llm_plan import llm_plan
from glossator.llm_roles import agent_role_models
from glossator.records import Depth, ImportedLabel, RunVariant, Shortfall
from glossator.run_planning import RunWish, draft_run
from glossator.session import Session
from glossator.settings import Settings
from tests.shell.run_fixtures import standing_project
from tests.shell.shell_fixtures import flag_settings

A, B = "openai:a", "openai:b"
INVESTIGATE = RunWish(features="0-3", depth=Depth.INVESTIGATE)
LABEL = RunWish(features="0-3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("project")
    return flag_settings(standing_project(folder), folder)


def variants(project: Settings, wish: RunWish, **settings: object) -> tuple[RunVariant, ...]:
    with Session(project.model_copy(update=settings)) as session:
        return draft_run(session, wish).plan.variants


def key(project: Settings, wish: RunWish, **settings: object) -> str:
    return variants(project, wish, **settings)[0].work_key


def test_investigations_by_other_models_are_others(project: Settings) -> None:
    by_a = key(project, INVESTIGATE, investigator=A)
    differ = [
        key(project, INVESTIGATE),
        by_a,
        key(project, INVESTIGATE, investigator=B),
        key(project, INVESTIGATE, investigator=A, scorer=B),
        key(project, INVESTIGATE, investigator=A, windows_per_prompt=1),
        key(project, INVESTIGATE, investigator=A, seed=1),
        key(project, LABEL, explainer=A),
    ]
    assert len(set(differ)) == len(differ)
    assert by_a == key(project, INVESTIGATE, explainer=A)
    assert by_a == key(project, INVESTIGATE, investigator=A, scorer=A, explainer=B, judge=B)
    assert by_a == key(project, INVESTIGATE._replace(budget="5usd", until="+8h", workers=3), investigator=A)


def test_an_investigator_alone_may_have_a_budget_and_reads_as_well(project: Settings) -> None:
    alone = project.model_copy(update={"investigator": A})
    assert {r: str(m) for r, m in agent_role_models(alone).items()} == {Role.INVESTIGATOR: A, Role.SCORER: A}
    (variant,) = variants(project, INVESTIGATE._replace(budget="5usd"), investigator=A)
    assert variant.score_by == variant.explain_by == ()
    with pytest.raises(SettingsError, match="--budget needs a model: set --investigator"):
        variants(project, INVESTIGATE._replace(budget="5usd"))


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"causal": True}, "--causal"),
        ({"samples": 2}, "--samples"),
        ({"score_by": "detection"}, "--score-by"),
        ({"explain_by": "one-shot"}, "--explain-by"),
        ({"labels_from": "somebody"}, "--labels-from"),
    ],
)
def test_what_says_how_labels_are_made_is_refused_for_investigations(
    project: Settings, changed: dict[str, object], flag: str
) -> None:
    with pytest.raises(SettingsError, match=f"{flag} .* --depth label alone"):
        variants(project, INVESTIGATE._replace(**changed), investigator=A)


def test_models_that_label_nothing_leave_labels_done(project: Settings) -> None:
    usual = key(project, LABEL, explainer=A)
    assert usual == key(project, LABEL, explainer=A, judge=B, investigator=B)
    assert usual != key(project, LABEL, explainer=A, scorer=B)
    assert usual != key(project, LABEL, explainer=B, scorer=A)
    assert usual != key(project, LABEL)
    read = key(project, LABEL, scorer=A)
    assert read != usual
    assert read == key(project, LABEL._replace(samples=3), scorer=A)


def test_methods_decide_and_the_order_of_questions_does_not(project: Settings) -> None:
    def by(explain: str, score: str, samples: int = 1) -> str:
        return key(project, LABEL._replace(explain_by=explain, score_by=score, samples=samples), explainer=A)

    usual = by("one-shot,contrastive", "detection,fuzzing")
    assert usual == by("one-shot,contrastive", "fuzzing,detection")
    others = [
        by("contrastive,one-shot", "detection,fuzzing"),  # of equals, what stands first is chosen
        by("one-shot,contrastive", "detection"),
        by("one-shot,contrastive", "detection,fuzzing", 2),
        key(project, LABEL._replace(causal=True), explainer=A),
    ]
    assert len({usual, *others}) == 5


def test_a_cheaper_way_is_another(project: Settings) -> None:
    full, cheaper = variants(project, LABEL._replace(shortfall=Shortfall.CHEAPER), explainer=A)
    assert full.work_key == key(project, LABEL, explainer=A) != cheaper.work_key


def test_scores_of_imported_labels_depend_on_who_reads(project: Settings) -> None:
    label = ImportedLabel(feature=1, text="court words", author="them", source="x")

    def scored(text: str = "court words", *, causal: bool = False, **settings: object) -> str:
        with Session(project.model_copy(update=settings)) as session:
            plan = llm_plan(session.settings)
            labels = {1: label.model_copy(update={"text": text})}
            return work_key(session, session.index(), plan, causal=causal, labels=labels)

    assert scored(scorer=A) == scored(scorer=A, explainer=B) == scored(explainer=A)
    others = [
        scored(scorer=A),
        scored("cat words", scorer=A),
        scored(scorer=B),
        scored(scorer=A, explainer=A, causal=True),
        scored(scorer=A, explainer=B, causal=True),  # the explainer words what it causes
    ]
    assert len(set(others)) == len(others)


def test_another_address_of_a_provider_is_another_model(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = key(project, LABEL, explainer=A), key(project, INVESTIGATE, explainer=A)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    there = key(project, LABEL, explainer=A), key(project, INVESTIGATE, explainer=A)
    assert len({*usual, *there}) == 4


def test_a_password_in_an_address_decides_nothing(project: Settings) -> None:
    urls = ["http://h/v1", "http://me:one@h/v1", "http://me:two@h/v1"]
    assert len({key(project, LABEL, explainer="m", base_url=url) for url in urls}) == 1


def test_without_a_model_the_models_of_others_say_nothing(project: Settings) -> None:
    assert key(project, LABEL) == key(project, LABEL, investigator=A)
