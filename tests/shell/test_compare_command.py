from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from glossator.cli import run
from glossator.comparison import Comparison, compare_cards
from glossator.memory.ledger import Ledger
from glossator.records import (
    Candidate,
    Evidence,
    ExplanationMethod,
    FeatureCard,
    FeatureRef,
    Metric,
    Score,
    ScoreMethod,
)
from tests.report.fake_candidates import (
    HOSTILE_LABEL,
    READER,
    FakeLabelled,
    fake_candidate,
    fake_score,
    llm_card,
)
from tests.report.fake_cards import dead_card, fake_cards

WHERE = "smollm2-135m/12-resid-4k"


def store(home: Path, *labelled: FakeLabelled) -> list[str]:
    """Store the cards in this order, each in a run of its own; returns the flags that name the home."""
    home.mkdir(exist_ok=True)
    with Ledger.open(home / "ledger.sqlite") as ledger:
        for one in labelled:
            ledger.save_card(ledger.start_run("label", {}), one.card, list(one.evidence.values()))
    return ["--home", str(home)]


def compared(capsys: pytest.CaptureFixture[str]) -> Comparison:
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    return Comparison.model_validate_json(line)


def test_compare_shows_every_explanation_with_paired_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = store(tmp_path, llm_card())
    assert run(["compare", "4012", *flags]) == 0
    found = compared(capsys)
    assert [e.explanation.method.value for e in found.explanations] == ["embedded", "one_shot", "refined"]
    assert [e.chosen for e in found.explanations] == [False, False, True]
    assert found.reference == found.explanations[0].explanation.id
    for explained in found.explanations[1:]:
        for scored in explained.scores[:3]:
            assert scored.difference is not None
            assert scored.difference.interval is not None
            assert scored.difference.interval.method == "paired bootstrap over documents"
        assert explained.scores[3].difference is not None
        assert explained.scores[3].difference.value is None  # a correlation
    assert all(s.difference is None for s in found.explanations[0].scores)
    one_shot, refined = (e.scores[0].difference for e in found.explanations[1:])
    assert one_shot is not None
    assert one_shot.n == 113  # 7 of 120 were unscored
    assert refined is not None
    assert refined.n == 120
    assert refined.value is not None
    assert refined.interval is not None
    assert refined.interval.low > 0  # 0.97 against 0.72
    base, best = (found.explanations[k].scores[0].score.value for k in (0, 2))
    assert base is not None
    assert best is not None
    assert refined.value == pytest.approx(best - base)


def test_a_terminal_gets_tables_and_model_text_stays_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = store(tmp_path, llm_card())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    assert run(["compare", f"{WHERE}/4012", *flags]) == 0
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "[bold]names[/bold] ␛[31mred␛[0m [/nope]" in shown
    assert "<script>" in shown
    assert "minus 1, 95 % interval" in shown
    assert run(["show", "4012", *flags]) == 0
    assert "Explanations tried" in capsys.readouterr().out
    assert HOSTILE_LABEL not in shown


def test_what_an_earlier_card_claimed_on_the_same_index_is_compared_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = llm_card()
    evidence: dict[str, Evidence] = {}
    old = fake_candidate(
        newest.card.feature, ExplanationMethod.ONE_SHOT, "an older label", 0.6, evidence, chosen=True, seed=5
    )
    update = {"candidates": (old,), "explanation": old.explanation, "scores": old.scores}
    earlier = newest.card.model_copy(update=update)
    elsewhere = earlier.model_copy(update={"index_identity": "another-index"})
    unlike = elsewhere.model_copy(update={"candidates": newest.card.candidates[1:2]})
    flags = store(tmp_path, FakeLabelled(unlike, {}), FakeLabelled(earlier, evidence), newest)
    assert run(["compare", "4012", *flags]) == 0
    found = compared(capsys)
    assert [e.explanation.text for e in found.explanations][-1] == "an older label"
    assert [e.earlier for e in found.explanations] == [False, False, False, True]
    assert [e.chosen for e in found.explanations] == [False, False, True, False]
    difference = found.explanations[-1].scores[0].difference
    assert difference is not None
    assert difference.n == 120


def test_scores_that_only_an_earlier_card_has_are_added_once() -> None:
    labelled = llm_card()
    evidence = dict(labelled.evidence)
    chosen = labelled.card.candidates[2]
    surprisal = fake_score(chosen.explanation, 0.8, 9, method=ScoreMethod.SURPRISAL, evidence=evidence)
    with_more = chosen.model_copy(update={"scores": (chosen.scores[0], surprisal)})
    earlier = labelled.card.model_copy(update={"candidates": (with_more,)})
    found = compare_cards([labelled.card, earlier], evidence.get).explanations[2]
    assert [s.score for s in found.scores] == [*chosen.scores, surprisal]


def test_without_an_embedded_label_the_chosen_one_is_the_reference() -> None:
    labelled = llm_card()
    card = labelled.card.model_copy(update={"candidates": labelled.card.candidates[1:]})
    found = compare_cards([card], labelled.evidence.get)
    assert found.reference == card.candidates[1].explanation.id
    assert found.explanations[0].chosen


def test_one_explanation_is_shown_and_said_to_be_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = store(tmp_path, FakeLabelled(fake_cards()[0], {}))
    assert run(["compare", "812", *flags]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["explanations"]) == 1
    assert "there is one explanation" in captured.err
    assert "--explainer" in captured.err


def test_a_card_without_explanation_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = store(tmp_path, FakeLabelled(dead_card(), {}))
    assert run(["compare", "9", *flags]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["explanations"] == []
    assert "Never fires on explore" in captured.err


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("77", f"'{WHERE}/77' is not labelled: labelled are 4012"),
        ("77", "glossator label --features 77"),
        ("other/model/1", "nothing of this dictionary is labelled yet"),
        ("nonsense", "unknown feature 'nonsense'"),
    ],
)
def test_unknown_features_exit_with_2(
    feature: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = store(tmp_path, llm_card())
    assert run(["compare", feature, *flags]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_nothing_stored_yet_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "3", "--home", str(tmp_path)]) == 2
    assert "glossator label --features 3" in capsys.readouterr().err


def test_many_candidates_are_compared_quickly() -> None:
    card, evidence = _wide_card(candidates=8)
    started = time.process_time()
    found = compare_cards([card], evidence.get)
    assert time.process_time() - started < 5
    assert len(found.explanations) == 8


def _wide_card(candidates: int) -> tuple[FeatureCard, dict[str, Evidence]]:
    labelled = llm_card()
    evidence: dict[str, Evidence] = {}
    ref, made = labelled.card.feature, list[Candidate]()
    for k in range(candidates):
        method = ExplanationMethod.EMBEDDED if k == 0 else ExplanationMethod.ONE_SHOT
        made.append(fake_candidate(ref, method, f"label {k}", 0.7, evidence, seed=10 * k))
    return labelled.card.model_copy(update={"candidates": tuple(made)}), evidence


def test_the_ledger_gives_a_features_cards_newest_first(tmp_path: Path) -> None:
    first, second = llm_card(), llm_card(usd=None)
    other = llm_card(index=5)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        for one in (first, second, other, first):
            ledger.save_card(ledger.start_run("label", {}), one.card, list(one.evidence.values()))
        assert ledger.card_history(first.card.feature) == [first.card, second.card]
        unknown = FeatureRef(subject="a", dictionary="b", index=1)
        assert ledger.card_history(unknown) == []


def test_scores_are_paired_only_for_the_same_question() -> None:
    labelled = llm_card()
    base, _, chosen = labelled.card.candidates

    def with_scores(candidate: Candidate, *scores: Score) -> Candidate:
        return candidate.model_copy(update={"scores": scores})

    other_reader = chosen.scores[0].model_copy(update={"reader": "another-model"})
    f1 = chosen.scores[0].model_copy(update={"metric": Metric.F1})
    changed: dict[str, Any] = {"candidates": (base, with_scores(chosen, other_reader, f1, chosen.scores[0]))}
    found = compare_cards([labelled.card.model_copy(update=changed)], labelled.evidence.get)
    kept = [s.difference is not None for s in found.explanations[1].scores]
    assert kept == [False, False, True]
    assert READER in {q.reader for q in found.questions()}
