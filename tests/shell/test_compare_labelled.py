"""What a labelling with a scripted model stores is compared with all its differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.llm_calls.scripted_chat import ScriptedChat, noisy
from glossator.agents.llm_labelling import LlmLabelling
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.cli import run
from glossator.comparison import Comparison, Question
from glossator.memory.ledger import Ledger
from glossator.records import ExplanationMethod, Metric, ScoreMethod
from tests.agents.planted_index import oracle, planted_index, room_of

pytestmark = pytest.mark.slow  # a whole labelling, if a small one
PAIRED = {
    (ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY),
    (ScoreMethod.DETECTION, Metric.RECALL),
    (ScoreMethod.FUZZING, Metric.BALANCED_ACCURACY),
    (ScoreMethod.EMBEDDING, Metric.AUC),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with one planted feature, labelled by a scripted model that errs now and then."""
    folder = tmp_path_factory.mktemp("labelled")
    planted = planted_index(folder / "index")
    calls, budget = room_of(ScriptedChat(noisy(oracle(), 0.15)))
    methods = (ScoreMethod.DETECTION, ScoreMethod.FUZZING, ScoreMethod.INTRUDER)
    asked = LlmLabelling(
        calls=calls,
        budget=budget,
        explainers=ExplainerSettings(methods=(ExplanationMethod.ONE_SHOT,)),
        scoring=LlmScoringSettings(methods=methods, max_firing=20, max_random=20, max_hard=20),
        windows_per_prompt=5,
    )
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        for made in planted.labeller(asked).label([0]):
            ledger.save_card(ledger.start_run("label", {}), made.card, made.evidence)
    return folder


def test_every_score_that_allows_it_is_paired(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "planted/planted/0", "--home", str(home)]) == 0
    found = Comparison.model_validate_json(capsys.readouterr().out)
    embedded, other = found.explanations
    assert embedded.explanation.method is ExplanationMethod.EMBEDDED
    differences = {Question.of(s.score): s.difference for s in other.scores}
    paired = {
        (q.method, q.metric) for q, d in differences.items() if d is not None and d.interval is not None
    }
    assert paired >= PAIRED
    for question, difference in differences.items():
        score = other.answer(question)
        base = embedded.answer(question)
        if difference is None or difference.value is None or score is None or base is None:
            continue
        assert difference.n <= score.score.n_positive + score.score.n_negative
        assert difference.interval is not None
        assert difference.interval.low <= difference.value <= difference.interval.high
        if (
            difference.n
            == score.score.n_positive + score.score.n_negative
            == (base.score.n_positive + base.score.n_negative)
        ):
            assert score.score.value is not None
            assert base.score.value is not None
            assert difference.value == pytest.approx(score.score.value - base.score.value, abs=1e-4)
    intruder = [d for q, d in differences.items() if q.method is ScoreMethod.INTRUDER]
    assert intruder
    assert all(d is not None and "no explanation is read" in d.note for d in intruder)


def test_the_page_and_the_terminal_show_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glossator.commands.compare.wants_json", lambda _: False)
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["compare", "planted/planted/0", "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    assert "Detection by scripted, against random silent windows" in shown
    assert "Embedding by embedder" in shown
    assert "paired n" in shown
