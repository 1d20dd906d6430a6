"""The real starter subject, dictionary and corpus, from the command line. `make assets` fetches them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glossator.errors import AssetError
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.subject import load_subject
from glossator.records import FeatureCard, Split, VerdictKind
from glossator.starter_assets import asset_states, default_cache, starter_subject_path

FEATURES = "167,306,1614,3339,3726"


def cached() -> Path:
    """The cache, which tests never fill: they use no network."""
    cache = Path(os.environ.get("GLOSSATOR_CACHE", default_cache()))
    missing = [s.name for s in asset_states(cache) if not s.present]
    if missing:
        raise AssetError(f"missing starter assets {missing}: run `make assets` first")
    return cache


def glossator(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GLOSSATOR_HOME": str(home), "GLOSSATOR_CACHE": str(cached())}
    command = [sys.executable, "-m", "glossator", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=home, timeout=900
    )


@pytest.fixture(scope="module")
def labelled(home: Path) -> list[FeatureCard]:
    """Five features labelled on 60,000 tokens."""
    done = glossator(home, "label", "--features", FEATURES, "--tokens", "60000", "--out", str(home / "out"))
    assert done.returncode == 0, done.stderr
    return [FeatureCard.model_validate_json(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_subject_knows_what_it_should() -> None:
    subject = load_subject(str(starter_subject_path(cached())), cache=cached() / "converted")
    ids = torch.tensor(subject.tokenize(["The capital of France is"]))
    best = int(subject.logits(ids)[0, -1].argmax())
    assert subject.vocabulary.texts[best] == " Paris"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_plain_features_are_labelled_as_what_they_are(labelled: list[FeatureCard]) -> None:
    by_index = {card.feature.index: card for card in labelled}
    assert list(by_index) == [int(i) for i in FEATURES.split(",")]
    at, modal = by_index[3726], by_index[3339]
    assert at.verdict.kind is not VerdictKind.ABSTAINED
    assert at.explanation is not None
    assert '"at"' in at.explanation.text
    assert modal.explanation is not None
    assert "should" in modal.explanation.text
    assert by_index[3726].max_activation > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_score_is_sealed_and_carries_what_makes_it_honest(labelled: list[FeatureCard]) -> None:
    scores = [score for card in labelled for score in card.scores]
    assert scores
    for score in scores:
        assert score.split is Split.SEALED
        assert (score.value is None) == (score.interval is None)
        assert score.value is not None or score.unscored
        assert {b.name.value for b in score.baselines} >= {"shuffled", "empty"}
        assert score.evidence is not None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cards_show_no_sealed_text(home: Path, labelled: list[FeatureCard]) -> None:
    (folder,) = (p for p in (home / "indexes").iterdir() if (p / "manifest.json").exists())
    index = ActivationIndex.open(folder)
    open_documents = {d.id for view in (index.explore, index.validate) for d in view.text.documents}
    shown = {w.document for card in labelled for w in (*card.windows, *card.silent_windows)}
    assert shown
    assert shown <= open_documents


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_is_done_is_not_done_again(home: Path, labelled: list[FeatureCard]) -> None:
    again = glossator(
        home, "label", "--features", FEATURES, "--tokens", "60000", "--out", str(home / "again"), "--json"
    )
    assert again.returncode == 0, again.stderr
    assert [FeatureCard.model_validate_json(line) for line in again.stdout.splitlines()] == labelled
    assert "labelled before" in again.stderr
    page = (home / "again" / "report.html").read_text(encoding="utf-8")
    assert all(f"{card.feature}" in page for card in labelled)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_labels_can_be_shown_and_searched(home: Path, labelled: list[FeatureCard]) -> None:
    shown = glossator(home, "show", "3726", "--tokens", "60000", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["feature"]["index"] == 3726
    standing = [card for card in labelled if card.verdict.kind is not VerdictKind.ABSTAINED]
    assert standing
    for card in standing:
        assert card.explanation is not None
        found = glossator(home, "search", card.explanation.text, "--tokens", "60000", "--json")
        assert found.returncode == 0, found.stderr
        first = json.loads(found.stdout.splitlines()[0])
        assert first["feature"] == str(card.feature)
        assert first["similarity"] > 0.99
    unknown = glossator(home, "show", "9999999", "--tokens", "60000")
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr
