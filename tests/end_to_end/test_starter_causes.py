"""Causal commands on the real starter subject. `make assets` fetches what they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glossator.errors import AssetError
from glossator.starter_assets import asset_states, default_cache

BETWEEN = "2415"
"""A feature whose direction promotes the word "between"."""
MODAL = "3339"
"""A feature that fires on modal verbs."""
TEXT = "You should see a doctor, but you might want to wait until Monday."


def cached() -> Path:
    """The cache, which tests never fill: they use no network."""
    cache = Path(os.environ.get("GLOSSATOR_CACHE", default_cache()))
    missing = [s.name for s in asset_states(cache) if not s.present]
    if missing:
        raise AssetError(f"missing starter assets {missing}: run `make assets` first")
    return cache


def glossator(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"HOME": str(home), "CACHE": str(cached()), "TOKENS": "60000"}
    environment = {**os.environ, **{f"GLOSSATOR_{key}": value for key, value in settings.items()}}
    command = [sys.executable, "-m", "glossator", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=home, timeout=900
    )


def found(home: Path, *arguments: str) -> dict[str, Any]:
    done = glossator(home, *arguments)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_strength_is_matched_and_columns_differ(home: Path) -> None:
    steered = found(home, "steer", BETWEEN, "I think that", "--strength", "kl=0.33", "--length", "8")
    target = steered["strength"]["target"]
    assert target["reached"]
    assert target["kl"] == pytest.approx(0.33, rel=0.1)
    clean, up, random = steered["prompts"][0]["columns"]
    assert clean["kl"] == 0
    assert up["kl"] > 0
    assert random["kl"] > 0
    texts = {c["continuations"][0]["text"] for c in (clean, up, random)}
    assert len(texts) > 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_text_loses_only_after_the_feature_fires(home: Path) -> None:
    ablated = found(home, "ablate", MODAL, "--text", TEXT)
    fires = [i for i, t in enumerate(ablated["tokens"]) if t["touched"] and t["activation"] > 0]
    assert fires
    for i, token in enumerate(ablated["tokens"][1:], 1):
        if i <= fires[0]:
            assert token["clean"] == token["ablated"]
    assert any(t["clean"] != t["ablated"] for t in ablated["tokens"])
    attributed = found(home, "attribute", MODAL, "--text", TEXT, "--token", "see")
    assert attributed["target"] == " see"
    activations = [t["activation"] for t in ablated["tokens"]]
    assert [t["activation"] for t in attributed["tokens"]] == pytest.approx(activations, rel=1e-3)
    assert all((t["effect"] != 0) == (t["activation"] > 0) for t in attributed["tokens"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_strength_that_breaks_the_subject_is_refused(home: Path) -> None:
    refused = glossator(home, "steer", BETWEEN, "I think that", "--strength", "1e37x", "--length", "4")
    assert refused.returncode == 2
    assert "largest safe strength" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_effects_are_kept(home: Path) -> None:
    effects = found(home, "effects", BETWEEN)
    assert effects["effects"]["dose"]
    assert effects["effects"]["concept"]
    assert [t["reached"] for t in effects["up"]["targets"]] == [True] * 4
    assert found(home, "effects", BETWEEN) == effects
