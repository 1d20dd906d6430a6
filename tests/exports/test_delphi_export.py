"""Delphi's folders, read as its own code reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glossator.errors import UserError
from glossator.exports.context import ExportContext, ExportKind, ExportReport
from glossator.exports.delphi import LATENTS, NO_ANSWERS, scorer_name
from glossator.exports.export import export_cards
from glossator.records import FeatureCard, FeatureNames, Metric, Negatives, Score, SiteRef
from tests.exports.labelled_cards import (
    CONTEXT,
    SEALED_WORD,
    LabelledCards,
    contents,
    labelled_cards,
    rows,
    texts,
)

HOOKPOINT = "layers.3"
FIELDS = ["str_tokens", "activations", "distance", "activating", "prediction", "probability", "correct"]
"""Of `ClassifierOutput`, in its order: `scorers/classifier/sample.py:18-39` of eai-delphi 0.1.3."""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> LabelledCards:
    return labelled_cards(tmp_path_factory.mktemp("planted"))


def write(folder: Path, labelled: LabelledCards, **context: object) -> ExportReport:
    return export_cards(
        ExportKind.DELPHI, folder, iter(labelled.cards), evidence=labelled.find,
        context=CONTEXT.model_copy(update=context),
    )  # fmt: skip


def delphi_loads(folder: Path, index: int) -> str:
    """What `explanation_loader` does (`explainers/explainer.py:122-131`)."""
    return json.loads((folder / "explanations" / f"{HOOKPOINT}_latent{index}.txt").read_text())


def delphi_scores(folder: Path, scorer: str) -> dict[int, list[dict[str, Any]]]:
    """What `load_data` and `parse_score_file` do (`log/result_analysis.py:152-212`)."""
    found: dict[int, list[dict[str, Any]]] = {}
    for file in (folder / "scores" / scorer).glob(f"*{HOOKPOINT}*"):
        latent = int(file.stem.split("latent")[-1])
        found[latent] = [
            {"text": "".join(ex["str_tokens"]), **{k: ex[k] for k in FIELDS[1:]}}
            for ex in json.loads(file.read_bytes())
        ]
    return found


def delphi_accuracy(examples: list[dict[str, Any]]) -> float:
    """`compute_confusion` and `compute_classification_metrics` (`log/result_analysis.py:80-134`)."""
    valid = [e for e in examples if e["prediction"] is not None]
    positive = [e for e in valid if e["activating"]]
    negative = [e for e in valid if not e["activating"]]
    hits = sum(e["prediction"] >= 0.5 for e in positive)
    misses = sum(e["prediction"] < 0.5 for e in negative)
    return (hits / len(positive) + misses / len(negative)) / 2


def score_of(card: FeatureCard, scorer: str) -> Score:
    (found,) = [s for s in card.scores if scorer_name(s) == scorer]
    return found


def test_delphi_reads_our_labels_and_comes_to_our_scores(labelled: LabelledCards, tmp_path: Path) -> None:
    report = write(tmp_path / "run", labelled)
    assert {i: delphi_loads(tmp_path / "run", i) for i in labelled.labels} == labelled.labels
    assert len(list((tmp_path / "run" / "explanations").iterdir())) == report.labels == len(labelled.labels)
    for scorer in ("detection", "fuzz", "glossator_embedder_detection"):
        read = delphi_scores(tmp_path / "run", scorer)
        assert set(read) == set(labelled.labels)
        for index, examples in read.items():
            score = score_of(labelled.cards[index], scorer)
            assert delphi_accuracy(examples) == pytest.approx(score.value)


def test_score_files_have_delphis_fields_and_no_sealed_text(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "run", labelled)
    for file in (tmp_path / "run" / "scores").rglob("*.txt"):
        for one in json.loads(file.read_bytes()):
            assert list(one) == FIELDS
            assert one["str_tokens"] == [] == one["activations"]
            assert one["correct"] is (one["prediction"] is one["activating"])
    assert not any(SEALED_WORD in text for text in texts(tmp_path / "run"))


def test_the_summary_says_what_the_files_cannot(labelled: LabelledCards, tmp_path: Path) -> None:
    report = write(tmp_path / "run", labelled)
    summary = rows(tmp_path / "run" / "glossator_labels.jsonl")
    assert {row["latent"]: row["label"] for row in summary} == {
        f"{HOOKPOINT}_latent{i}": label for i, label in labelled.labels.items()
    }
    assert all(s["details"]["held_out"] for row in summary for s in row["scores"])
    assert LATENTS in report.left_out
    assert not (tmp_path / "run" / "latents").exists()


def test_without_answers_no_score_file_is_made_up(labelled: LabelledCards, tmp_path: Path) -> None:
    report = write(tmp_path / "run", LabelledCards(labelled.cards, {}))
    assert report.left_out[NO_ANSWERS] > 0
    assert not (tmp_path / "run" / "scores").exists()


def test_what_is_not_delphis_measure_has_another_name_or_none(labelled: LabelledCards) -> None:
    score = score_of(labelled.cards[0], "detection")
    assert scorer_name(score.model_copy(update={"negatives": Negatives.HARD})) is None
    assert scorer_name(score.model_copy(update={"metric": Metric.RECALL})) is None
    assert scorer_name(score.model_copy(update={"threshold": 0.0})) is None
    assert scorer_name(score.model_copy(update={"reader": "predicate"})) == "glossator_predicate_detection"


@pytest.mark.parametrize(
    ("site", "hookpoint"),
    [("3.resid", "layers.3"), ("3.mlp_out", "layers.3.mlp"), ("0.attn_z", "layers.0.self_attn.o_proj")],
)
def test_the_hookpoint_follows_the_site(site: str, hookpoint: str) -> None:
    named = ExportContext(names=FeatureNames("a", "b"), site=SiteRef.parse(site), corpus="c")
    assert named.delphi_hookpoint == hookpoint
    assert named.model_copy(update={"hookpoint": "h.5"}).delphi_hookpoint == "h.5"


@pytest.mark.parametrize("hookpoint", ["../x", "a/b", "a b", "x\n"])
def test_a_hookpoint_cannot_leave_the_folder(hookpoint: str, labelled: LabelledCards, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hookpoint"):
        write(tmp_path / "run", labelled, hookpoint=hookpoint)
    assert not list(tmp_path.iterdir())


def test_the_same_cards_make_the_same_bytes(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "a", labelled)
    write(tmp_path / "b", labelled)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
