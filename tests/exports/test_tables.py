"""JSON lines, CSV, and the folder that is there as a whole or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from glossator.errors import StorageError, UserError
from glossator.exports.context import ExportContext, ExportKind, safe_corpus_name
from glossator.exports.csv_table import EMPTY_LABELS
from glossator.exports.export import export_cards
from glossator.exports.staged_folder import MARK, staged_folder
from glossator.records import Explanation, FeatureCard, FeatureNames, LlmSpending
from glossator.report.headline import headline
from tests.report.fake_cards import fake_cards

CONTEXT = ExportContext(names=FeatureNames("a", "b"), corpus="made")


def table(folder: Path, cards: list[FeatureCard]) -> list[dict[str, str]]:
    export_cards(ExportKind.CSV, folder, cards, evidence=lambda _: None, context=CONTEXT)
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_cards_come_back_from_json_lines(tmp_path: Path) -> None:
    cards = fake_cards()
    export_cards(ExportKind.JSONL, tmp_path / "out", cards, evidence=lambda _: None, context=CONTEXT)
    lines = (tmp_path / "out" / "cards.jsonl").read_text().splitlines()
    assert [FeatureCard.model_validate_json(line) for line in lines] == cards


def test_a_row_a_feature_with_the_headline_score(tmp_path: Path) -> None:
    cards = [c.model_copy(update={"spending": LlmSpending(calls=7, usd=0.25)}) for c in fake_cards()]
    for card, row in zip(cards, table(tmp_path / "out", cards), strict=True):
        stands = card.verdict.kind.value != "abstained"
        assert int(row["index"]) == card.feature.index
        assert row["verdict"] == card.verdict.kind.value
        assert float(row["density"]) == card.density
        assert (row["llm_calls"], float(row["usd"])) == ("7", 0.25)
        assert bool(row["label"]) is stands is bool(row["value"])
        if stands:
            score = headline(card).detection_random
            assert score is not None
            assert score.interval is not None
            assert float(row["value"]) == score.value
            assert (float(row["low"]), float(row["high"])) == (score.interval.low, score.interval.high)
            assert int(row["n_positive"]) == score.n_positive
            assert float(row["shuffled"]) == pytest.approx(0.513)
            assert row["shuffled_n_positive"] == row["n_positive"]
            assert row["shuffled_n_negative"] == "7"


def test_the_features_without_a_label_have_rows_and_it_is_said(tmp_path: Path) -> None:
    cards = fake_cards()
    without = [c for c in cards if c.verdict.kind.value == "abstained"]
    said = export_cards(ExportKind.CSV, tmp_path / "out", cards, evidence=lambda _: None, context=CONTEXT)
    assert without
    assert said.features == len(cards)
    assert said.left_out == {EMPTY_LABELS: len(without)}
    assert (
        export_cards(ExportKind.CSV, tmp_path / "none", [], evidence=lambda _: None, context=CONTEXT).left_out
        == {}
    )


@pytest.mark.parametrize("label", ['=HYPERLINK("http://x")', "+1", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1"])
def test_no_label_is_a_formula(label: str, tmp_path: Path) -> None:
    card = fake_cards()[0]
    assert card.explanation is not None
    claim = Explanation.of(card.feature, "=evil", label, None)
    (row,) = table(tmp_path / "out", [card.model_copy(update={"explanation": claim})])
    assert row["label"] == "'" + label
    assert row["author"] == "'=evil"


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(UserError, match="no export of Glossator"):
        table(tmp_path / "thesis", fake_cards())
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match="is a file"):
        table(tmp_path / "file", fake_cards())
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "thesis"]


def test_an_older_export_is_replaced_as_a_whole(tmp_path: Path) -> None:
    table(tmp_path / "out", fake_cards())
    export_cards(ExportKind.JSONL, tmp_path / "out", [], evidence=lambda _: None, context=CONTEXT)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cards.jsonl", MARK]


def test_a_failed_export_leaves_the_older_one(tmp_path: Path) -> None:
    table(tmp_path / "out", fake_cards())
    before = (tmp_path / "out" / "labels.csv").read_bytes()

    def fail(folder: Path) -> None:
        with staged_folder(folder) as staged:
            (staged / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "out")
    assert (tmp_path / "out" / "labels.csv").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_lies_beside_an_export_is_left_alone(tmp_path: Path) -> None:
    beside = [tmp_path / name for name in ("out.new", "out.old", ".out.mine")]
    for folder in beside:
        folder.mkdir()
        (folder / "chapter.txt").write_text("precious")
    for _ in range(2):
        table(tmp_path / "out", fake_cards())
    assert all((folder / "chapter.txt").read_text() == "precious" for folder in beside)
    assert sorted(tmp_path.iterdir()) == sorted([*beside, tmp_path / "out"])


def test_where_the_new_folder_cannot_be_moved_the_older_one_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    table(out, fake_cards())
    before = (out / "labels.csv").read_bytes()
    replace = Path.replace

    def move(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", move)
    with pytest.raises(StorageError, match="No space left"):
        export_cards(ExportKind.JSONL, out, [], evidence=lambda _: None, context=CONTEXT)
    assert (out / "labels.csv").read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_an_export_behind_a_link_is_replaced_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "labels")
    for _ in range(2):
        table(tmp_path / "out", fake_cards())
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "labels" / MARK).is_file()


@pytest.mark.parametrize(
    ("source", "name"),
    [("starter", "starter"), ("hf:a/b@c", "hf:a/b@c"), ("/home/me/secret/books.txt", "books.txt")],
)
def test_a_corpus_is_named_without_its_place(source: str, name: str) -> None:
    assert safe_corpus_name(source) == name
