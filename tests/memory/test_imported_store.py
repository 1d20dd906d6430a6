"""Labels of others in the ledger, found again by author."""

from __future__ import annotations

from pathlib import Path

from glossator.memory.imported_store import imported_labels, store_imported
from glossator.memory.ledger import Ledger
from glossator.records import ClaimedScore, FeatureNames, ImportedLabel

NAMES, OTHER = FeatureNames("gpt2", "6-res"), FeatureNames("gpt2", "7-res")


def label(feature: int, text: str, author: str = "delphi") -> ImportedLabel:
    claimed = (ClaimedScore(name="fuzz", value=0.9, n_scored=100, n_failed=0),)
    return ImportedLabel(feature=feature, text=text, author=author, claimed=claimed, source="x.txt")


def test_labels_are_found_by_author_and_dictionary_and_the_last_counts(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        store_imported(ledger, NAMES, [label(0, "sea"), label(1, "money"), label(1, "tax", "neuronpedia")])
        store_imported(ledger, OTHER, [label(0, "elsewhere")])
        assert imported_labels(ledger, NAMES, "delphi") == {0: label(0, "sea"), 1: label(1, "money")}
        assert imported_labels(ledger, NAMES, "neuronpedia") == {1: label(1, "tax", "neuronpedia")}
        assert imported_labels(ledger, NAMES, "nobody") == {}
        store_imported(ledger, NAMES, [label(0, "harbour")])
        store_imported(ledger, NAMES, [label(1, "money")])  # again: the same evidence, stored once
        assert {i: one.text for i, one in imported_labels(ledger, NAMES, "delphi").items()} == {
            0: "harbour",
            1: "money",
        }
        assert ledger.counts().evidence == 5


def test_more_than_one_transaction_holds(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        store_imported(ledger, NAMES, (label(i, f"label {i}") for i in range(1100)))
        assert set(imported_labels(ledger, NAMES, "delphi")) == set(range(1100))
