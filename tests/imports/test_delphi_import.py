"""The folders of a Delphi run, whole, odd and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glossator.errors import ImportedFileError, UserError
from glossator.imports.delphi import read_delphi
from glossator.imports.reading import ImportKind, other_names, read_labels
from glossator.records import FeatureNames
from tests.imports.foreign_files import delphi_run, delphi_scores


def test_labels_by_index_with_what_their_report_would_say(tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {10: "the sea", 9: "Geld „in“ Zahlen\nund Worten"})
    answers = [(True, True), (True, True), (True, False), (True, None), (False, False), (False, True)]
    delphi_scores(run, "detection", 10, answers)
    labels = list(read_delphi(run))
    assert [(one.feature, one.text) for one in labels] == [
        (9, "Geld „in“ Zahlen\nund Worten"),
        (10, "the sea"),
    ]
    assert labels[0].claimed == ()
    (claim,) = labels[1].claimed
    assert (claim.name, claim.n_scored, claim.n_failed) == ("detection", 5, 1)
    assert claim.value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert {one.author for one in labels} == {"delphi"}
    assert labels[1].source == "explanations/layers.5_latent10.txt"


def test_the_settings_name_the_model(tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {0: "the sea"}, "transformer.h.5")
    label = next(read_delphi(run))
    assert (label.model, label.place) == ("", "transformer.h.5")
    assert other_names([label], FeatureNames("gpt2", "5-resid-24k")) is None
    (run / "run_config.json").write_text(
        json.dumps({"model": "openai-community/gpt2", "hookpoints": ["h.5"]})
    )
    labels = list(read_delphi(run))
    assert other_names(labels, FeatureNames("gpt2", "5-resid-24k")) is None
    for ours in (FeatureNames("gpt2", "6-resid-24k"), FeatureNames("pythia-70m", "5-resid-24k")):
        assert "'openai-community/gpt2/transformer.h.5'" in (other_names(labels, ours) or "")


def test_a_dictionary_of_another_width_is_refused(tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {0: "the sea"})
    cache = run / "latents" / "layers.5"
    cache.mkdir(parents=True)
    for name in ("0_2047.safetensors", "2048_4095.safetensors", "config.json"):
        (cache / name).write_bytes(b"")
    assert len(read_labels(ImportKind.DELPHI, run, n_features=4096)) == 1
    with pytest.raises(UserError, match="has 4096 latents, and the dictionary has 8192 features"):
        read_labels(ImportKind.DELPHI, run, n_features=8192)


def test_the_settings_name_the_explainer(tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {0: "the sea"})
    (run / "run_config.json").write_text(json.dumps({"explainer_model": "llama-70b", "max_latents": 100}))
    assert next(read_delphi(run)).author == "delphi:llama-70b"


def test_scores_that_say_nothing_have_no_value(tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {0: "the sea"})
    delphi_scores(run, "fuzz", 0, [(True, None), (False, None)])
    delphi_scores(run, "detection", 0, [(True, True)])  # no silent example: no balanced accuracy
    (run / "scores" / "simulation").mkdir()
    (run / "scores" / "simulation" / "layers.5_latent0.txt").write_text('[{"ev_correlation_score": 0.4}]')
    claimed = {c.name: c for c in next(read_delphi(run)).claimed}
    assert {name: c.value for name, c in claimed.items()} == {
        "detection": None,
        "fuzz": None,
        "simulation": None,
    }
    assert (claimed["fuzz"].n_scored, claimed["fuzz"].n_failed) == (0, 2)


def test_hookpoints_are_chosen_and_scores_are_found_by_their_safe_names(tmp_path: Path) -> None:
    run = delphi_run(delphi_run(tmp_path, {1: "a"}, "layers.1"), {1: "b"}, "layers.10")
    with pytest.raises(UserError, match=r"'layers.1', 'layers.10'.*--source"):
        list(read_delphi(run))
    assert [one.text for one in read_delphi(run, "layers.1")] == ["a"]
    with pytest.raises(UserError, match="was not explained"):
        list(read_delphi(run, "layers.2"))


@pytest.mark.parametrize("content", ["not json", '"cut', "", '{"explanation": "x"}', "7", "null"])
def test_a_damaged_explanation_is_named(content: str, tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {0: "a", 1: "b"})
    (run / "explanations" / "layers.5_latent1.txt").write_text(content)
    with pytest.raises(ImportedFileError, match=r"layers\.5_latent1\.txt', line 1") as raised:
        read_labels(ImportKind.DELPHI, run, n_features=10)
    assert raised.value.exit_code == 2


def test_a_damaged_score_is_named(tmp_path: Path) -> None:
    run = delphi_run(tmp_path, {0: "a"})
    path = delphi_scores(run, "detection", 0, [(True, True), (False, False)])
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ImportedFileError, match=r"scores/detection/layers\.5_latent0\.txt"):
        list(read_delphi(run))


def test_nothing_to_import_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="results/NAME"):
        list(read_delphi(tmp_path))
    (tmp_path / "explanations").mkdir()
    (tmp_path / "explanations" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="nothing to import"):
        list(read_delphi(tmp_path))
