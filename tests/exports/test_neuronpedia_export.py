"""Neuronpedia's bulk layout: what its importer trips over, and what our scores are called there."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glossator.errors import StorageError
from glossator.exports import neuronpedia
from glossator.exports.context import ExportKind, ExportReport
from glossator.exports.cuid import content_cuid
from glossator.exports.export import export_cards
from glossator.exports.neuronpedia_features import TOP, activation_rows
from glossator.exports.row_files import row_line
from glossator.exports.standing_labels import ABSTAINED
from glossator.records import FeatureCard, TokenEffect
from tests.exports.labelled_cards import (
    CONTEXT,
    SEALED_WORD,
    LabelledCards,
    contents,
    labelled_cards,
    rows,
    texts,
)
from tests.report.fake_cards import fake_cards

SOURCE = Path("v1/planted/3-planted")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> LabelledCards:
    return labelled_cards(tmp_path_factory.mktemp("planted"))


def write(folder: Path, labelled: LabelledCards, **context: object) -> ExportReport:
    return export_cards(
        ExportKind.NEURONPEDIA, folder, iter(labelled.cards), evidence=labelled.find,
        context=CONTEXT.model_copy(update=context),
    )  # fmt: skip


def by_kind(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [row for path in sorted((folder / SOURCE / kind).iterdir()) for row in rows(path)]


def test_the_layout_and_the_names(labelled: LabelledCards, tmp_path: Path) -> None:
    report = write(tmp_path / "out", labelled, with_evidence=True)
    kinds = ("features", "activations", "explanations", "scores", "evidence")
    wanted = {str(SOURCE / kind / "batch-0.jsonl.gz") for kind in kinds}
    wanted |= {str(SOURCE / f"{one}.jsonl") for one in ("release", "model", "sourceset", "source")}
    assert wanted <= set(report.files)
    assert set(report.files) | {"glossator_export.json"} == set(contents(tmp_path / "out"))
    (source,) = rows(tmp_path / "out" / SOURCE / "source.jsonl")
    (model,) = rows(tmp_path / "out" / SOURCE / "model.jsonl")
    (source_set,) = rows(tmp_path / "out" / SOURCE / "sourceset.jsonl")
    (release,) = rows(tmp_path / "out" / SOURCE / "release.jsonl")
    assert (source["id"], source["setName"], source["modelId"]) == ("3-planted", "planted", "planted")
    assert (model["layers"], model["neuronsPerLayer"]) == (6, 128)
    assert source_set["releaseName"] == release["name"]


def test_every_line_of_a_file_has_the_keys_of_its_first(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "out", labelled)
    files = [p for p in (tmp_path / "out" / "v1").rglob("*.jsonl*") if p.is_file()]
    assert len(files) > 8
    for path in files:
        lines = rows(path)
        assert lines
        assert {tuple(line) for line in lines} == {tuple(lines[0])}, path


def test_a_feature_row_for_every_card_and_a_label_only_where_it_stands(
    labelled: LabelledCards, tmp_path: Path
) -> None:
    report = write(tmp_path / "out", labelled)
    features, explanations = by_kind(tmp_path / "out", "features"), by_kind(tmp_path / "out", "explanations")
    assert [f["index"] for f in features] == [str(c.feature.index) for c in labelled.cards]
    assert {int(e["index"]): e["description"] for e in explanations} == labelled.labels
    assert report.labels == len(labelled.labels) < report.features
    assert report.left_out[ABSTAINED] == report.features - report.labels
    assert all(isinstance(row["index"], str) for row in features + explanations)
    assert all(e["typeName"] is None and "method: embedded;" in e["notes"] for e in explanations)
    assert {e["explanationModelName"] for e in explanations} == {"embedded-analyst/1"}


def test_rejected_labels_are_nowhere(tmp_path: Path) -> None:
    rejected = fake_cards()[0].model_copy(update={"verdict": fake_cards()[4].verdict})
    assert rejected.explanation is not None
    for kind in (ExportKind.NEURONPEDIA, ExportKind.DELPHI, ExportKind.CSV):
        out = tmp_path / kind
        export_cards(kind, out, [rejected], evidence=lambda _: None, context=CONTEXT)
        assert not any(rejected.explanation.text in text for text in texts(out))


def test_only_a_language_models_measures_have_registered_names(
    labelled: LabelledCards, tmp_path: Path
) -> None:
    write(tmp_path / "out", labelled)
    scores = by_kind(tmp_path / "out", "scores")
    registered = [s for s in scores if not s["explanationScoreTypeName"].startswith("glossator_")]
    assert {s["explanationScoreTypeName"] for s in registered} == {"eleuther_recall", "eleuther_fuzz"}
    assert {s["explanationScoreModelName"] for s in registered} == {"scripted"}
    by_predicate = [s for s in scores if s["glossatorDetails"]["reader"] == "embedder"]
    assert by_predicate
    assert all(s["explanationScoreTypeName"].startswith("glossator_") for s in by_predicate)
    known = {row["name"] for path in (tmp_path / "out/v1/config").iterdir() for row in rows(path)}
    assert {s["explanationScoreTypeName"] for s in scores} - known == {"eleuther_recall", "eleuther_fuzz"}
    assert {s["explanationScoreModelName"] for s in scores} <= known


def test_scores_say_what_they_rest_on_and_hold_no_text(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "out", labelled, with_evidence=True)
    explained = {e["id"] for e in by_kind(tmp_path / "out", "explanations")}
    for score in by_kind(tmp_path / "out", "scores"):
        assert score["explanationId"] in explained
        details = score["glossatorDetails"]
        assert details["held_out"] is True
        assert details["interval"]["low"] - 1e-9 <= score["value"] <= details["interval"]["high"] + 1e-9
        assert {b["name"] for b in details["baselines"]} >= {"shuffled", "empty"} or not details["baselines"]
        shown = json.loads(score["jsonDetails"])
        if score["explanationScoreTypeName"].startswith("glossator_"):
            assert shown == details
            continue
        assert len(shown) == details["n_positive"] + details["n_negative"]
        assert all(e["text"] == "" and e["str_tokens"] == [] and e["activations"] == [] for e in shown)
        right = [[e["correct"] for e in shown if e["ground_truth"] is side] for side in (True, False)]
        assert score["value"] == pytest.approx(sum(sum(r) / len(r) for r in right) / 2)
    assert not any(SEALED_WORD in text for text in texts(tmp_path / "out"))


def test_activations_are_windows_of_explore_in_groups(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "out", labelled)
    found = by_kind(tmp_path / "out", "activations")
    assert any("markexplore" in "".join(a["tokens"]).replace(" ", "") for a in found)
    card = labelled.cards[0]
    own = [a for a in found if a["index"] == "0"]
    assert [a["maxValue"] for a in own] == [max(w.activations) for w in card.windows]
    for row in own:
        assert row["values"][row["maxValueTokenIndex"]] == row["maxValue"] == max(row["values"])
        assert len(row["tokens"]) == len(row["values"])
    assert all((a["binMin"], a["binContains"]) == (-1.0, -1.0) for a in own[:TOP])
    assert all(0 < a["binContains"] <= 1 for a in own[TOP:])


def test_intervals_hold_all_firings_between_them() -> None:
    card = fake_cards()[0]
    below = [a for a in activation_rows(card, CONTEXT)][TOP:]
    for row in below:
        assert row.binMin <= row.maxValue <= row.binMax
    shares = {(a.binMin, a.binMax): a.binContains for a in below}
    assert 1 < len(shares) <= 5
    assert sum(shares.values()) <= 1 + 1e-9


def test_ids_are_cuid_like_and_follow_the_content(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "a", labelled)
    first = by_kind(tmp_path / "a", "explanations")
    ids = [
        row["id"]
        for kind in ("explanations", "scores", "activations")
        for row in by_kind(tmp_path / "a", kind)
    ]
    assert all(re.fullmatch("c[0-9a-z]{24}", i) for i in ids)
    assert len(set(ids)) == len(ids)
    card = labelled.cards[0]
    assert card.explanation is not None
    other = card.model_copy(update={"explanation": card.explanation.model_copy(update={"text": "another"})})
    write(tmp_path / "b", LabelledCards([other, *labelled.cards[1:]], labelled.evidence))
    second = by_kind(tmp_path / "b", "explanations")
    changed = [a["id"] != b["id"] for a, b in zip(first, second, strict=True)]
    assert changed == [True] + [False] * (len(first) - 1)
    assert content_cuid("a", 1) != content_cuid("a", 2)


def test_the_same_cards_make_the_same_bytes(labelled: LabelledCards, tmp_path: Path) -> None:
    write(tmp_path / "a", labelled, with_evidence=True)
    write(tmp_path / "b", labelled, with_evidence=True)
    write(tmp_path / "b", labelled, with_evidence=True)  # over the first
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_batches_are_never_empty_and_never_held(
    labelled: LabelledCards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neuronpedia, "BATCH", 2)
    dead = labelled.cards[-1]
    many = [
        dead.model_copy(update={"feature": dead.feature.model_copy(update={"index": i})})
        for i in range(10, 15)
    ]
    write(tmp_path / "out", LabelledCards([*labelled.cards, *many], labelled.evidence))
    found = {kind: [len(rows(p)) for p in sorted((tmp_path / "out" / SOURCE / kind).iterdir())]
             for kind in ("features", "explanations")}  # fmt: skip
    assert found == {"features": [2, 2, 2, 2, 1], "explanations": [2, 1]}


@pytest.mark.parametrize("text", ["a\x00b", "\\u0000", "\\\\u0000 \x00", "\\\x00"])
def test_nul_survives_the_importers_own_replacement(text: str) -> None:
    line = row_line(TokenEffect(token=text, effect=1.0)).decode()
    read = json.loads(line.replace("\\u0000", " "))  # importJsonlString does this to the whole file
    assert read["token"] == text.replace("\x00", " ")
    assert "\x00" not in json.loads(line)["token"]


def test_hostile_tokens_can_be_read_back(tmp_path: Path) -> None:
    export_cards(
        ExportKind.NEURONPEDIA, tmp_path / "out", fake_cards(), evidence=lambda _: None, context=CONTEXT
    )
    assert all("\\u0000" not in text and "\x00" not in text for text in texts(tmp_path / "out"))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_not_finite_stops_the_export_and_leaves_nothing(bad: float, tmp_path: Path) -> None:
    card = fake_cards()[0].model_copy(update={"density": bad})
    with pytest.raises(StorageError, match="not finite"):
        export_cards(
            ExportKind.NEURONPEDIA, tmp_path / "out", [card], evidence=lambda _: None, context=CONTEXT
        )
    assert not list(tmp_path.iterdir())


def test_cards_are_taken_one_at_a_time(labelled: LabelledCards, tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Watched:
        alive: int = 0
        most: int = 0

    watched = Watched()

    class Card(FeatureCard):
        def __del__(self) -> None:
            watched.alive -= 1

    def cards() -> Iterator[FeatureCard]:
        for i in range(50):
            fake = fake_cards()[4].model_dump() | {"feature": {"subject": "p", "dictionary": "d", "index": i}}
            watched.alive += 1
            watched.most = max(watched.most, watched.alive)
            yield Card.model_validate(fake)

    export_cards(ExportKind.NEURONPEDIA, tmp_path / "out", cards(), evidence=labelled.find, context=CONTEXT)
    assert watched.most <= 3
