"""`glossator sae`, on a tiny random subject and a corpus written for the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glossator.commands.sae import app
from glossator.errors import SettingsError, UnknownNameError
from glossator.probes.dictionary_formats import load_dictionary
from glossator.probes.sae_card import read_card
from glossator.probes.tiny_subject import tiny_subject

WORDS = ("river", "stone", "lamp", "green", "walk", "seven", "cloud", "paper", "tin", "early")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a subject and a corpus."""
    folder = tmp_path_factory.mktemp("world")
    subject = tiny_subject()
    subject.model.save_pretrained(folder / "subject")
    subject.tokenizer.save_pretrained(folder / "subject")
    lines = [
        json.dumps(
            {"id": f"d{i}", "text": " ".join(WORDS[(i * 7 + j * (i % 6 + 1)) % 10] for j in range(40))}
        )
        for i in range(80)
    ]
    (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def invoke(world: Path, *arguments: str) -> dict[str, object]:
    shared = ["--subject", str(world / "subject"), "--corpus", str(world / "corpus.jsonl"), "--context", "32"]
    found = CliRunner().invoke(app, [*arguments, *shared, "--home", str(world / "home"), "--json"])
    if found.exception is not None:
        raise found.exception
    return json.loads(found.stdout)


@pytest.mark.slow
def test_train_then_measure(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "trained"
    flags = (
        "--out",
        str(out),
        "--site",
        "1.resid",
        "--width",
        "32",
        "--k",
        "4",
        "--steps",
        "30",
        "--batch",
        "256",
    )
    card = invoke(world, "train", *flags, "--tokens", "4000", "--held-out", "1000", "--ce-tokens", "300")
    stored = read_card(out)
    assert stored is not None
    assert stored.model_dump(mode="json") == card
    assert (stored.name, stored.split, stored.training["steps"]) == ("1-resid-32", "sealed", 30)
    assert stored.metrics.l0 <= 4
    assert stored.metrics.features == 32
    assert stored.fingerprint == load_dictionary(out).fingerprint()
    assert sorted(p.name for p in out.iterdir()) == [
        "CARD.md",
        "card.json",
        "cfg.json",
        "sae_weights.safetensors",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["trained"]  # the harvest is gone
    again = invoke(world, "measure", str(out), "--held-out", "1000", "--ce-tokens", "300")
    assert again["metrics"] == card["metrics"]
    with pytest.raises(SettingsError, match="is there already"):
        invoke(world, "train", *flags)


def test_flags_that_make_no_training(world: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="site: give --site LAYER"):
        invoke(world, "train", "--out", str(tmp_path / "a"))
    with pytest.raises(SettingsError, match="architecture"):
        invoke(world, "train", "--out", str(tmp_path / "a"), "--site", "1.resid", "--architecture", "best")
    assert not list(tmp_path.iterdir())


def test_measuring_what_is_not_there(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="there is no folder"):
        invoke(world, "measure", str(tmp_path / "absent"))
