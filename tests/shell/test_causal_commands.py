from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from glossator.cli import run
from glossator.memory.ledger import Ledger
from glossator.records import Evidence, EvidenceKind
from tests.shell.causal_fixtures import DEAD, PlantedProject, attention_project, planted_project
from tests.shell.shell_fixtures import tiny_project

TEXT = "law court cat dog river number"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A tiny subject with an index that stands."""
    flags = tiny_project(tmp_path_factory.mktemp("project"))
    assert run(["index", "build", *flags]) == 0
    return flags


def home(project: list[str]) -> Path:
    return Path(project[project.index("--home") + 1])


def only_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    return json.loads(line)


def stored(project: list[str], evidence: str) -> Evidence:
    with Ledger.open(home(project) / "ledger.sqlite") as ledger:
        found = ledger.evidence(evidence)
        assert found is not None
        assert ledger.latest_evidence(found.feature, found.kind) == found
        return found


def live_feature(project: list[str]) -> int:
    return features_by_firing(project)[-1]


def features_by_firing(project: list[str]) -> list[int]:
    from glossator.probes.activation_index import ActivationIndex

    (folder,) = (p for p in (home(project) / "indexes").iterdir() if (p / "manifest.json").exists())
    index = ActivationIndex.open(folder)
    counts = [len(index.explore.firings(i).position) for i in range(index.n_features)]
    return sorted(range(index.n_features), key=lambda i: counts[i])


def test_steering_shows_three_columns_and_keeps_them(
    project: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    feature = live_feature(project)
    asked = ["steer", str(feature), "law court", "a cat", "--strength", "2x", "--length", "5", *project]
    assert run([*asked, "--samples", "2", "--random", "2"]) == 0
    found = only_line(capsys)
    assert [p["prompt"] for p in found["prompts"]] == ["law court", "a cat"]
    for prompt in found["prompts"]:
        names = [c["name"] for c in prompt["columns"]]
        assert names == ["clean", "steered", "random direction 1", "random direction 2"]
        assert prompt["columns"][0]["kl"] == 0
        assert prompt["columns"][1]["kl"] > 0
        for column in prompt["columns"]:
            assert [len(c["tokens"]) for c in column["continuations"]] == [5, 5]
            assert all(c["perplexity"] > 1 for c in column["continuations"])
    strength = found["strength"]
    assert strength["multiple"] == 2
    assert strength["norm"] == pytest.approx(abs(strength["activation"]))  # a neuron's direction has norm 1
    assert strength["kl_validate"] > 0
    kept = stored(project, found["evidence"])
    assert kept.kind is EvidenceKind.STEERING
    assert kept.feature.index == feature
    assert kept.recipe["prompts"] == ["law court", "a cat"]
    assert kept.recipe["multiple"] == 2
    assert run([*asked, "--samples", "2", "--random", "2"]) == 0
    assert only_line(capsys) == found  # the same seed, the same words
    assert run([*asked, "--samples", "2", "--random", "2", "--seed", "1"]) == 0
    other = only_line(capsys)
    assert other["prompts"] != found["prompts"]


def test_a_hardly_steered_continuation_is_the_clean_one(
    project: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns share their random numbers, so they differ by what was added alone."""
    asked = ["steer", str(live_feature(project)), "law", "--strength", "1e-7x", "--length", "12", *project]
    assert run(asked) == 0
    clean, steered, _ = only_line(capsys)["prompts"][0]["columns"]
    assert clean["continuations"] == steered["continuations"]


@pytest.mark.parametrize("positions", ["all", "last", "generated"])
def test_strength_is_tuned_once(
    project: list[str], positions: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["steer", str(live_feature(project)), "law", "--strength", "kl=0.02", "--length", "3"]
    for _ in range(2):
        assert run([*asked, "--positions", positions, *project]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["strength"] == second["strength"]
    target = first["strength"]["target"]
    assert not target["reached"] or target["kl"] == pytest.approx(0.02, rel=0.1)
    assert target["reached"] or target["reason"]
    assert stored(project, first["strength"]["evidence"]).kind is EvidenceKind.STRENGTHS


@pytest.mark.parametrize("by", ["zero", "mean", "resample"])
def test_ablation_adds_up(project: list[str], by: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ablate", str(live_feature(project)), "--text", TEXT, "--by", by, *project]) == 0
    found = only_line(capsys)
    assert "".join(t["token"] for t in found["tokens"]) == TEXT
    fires = [i for i, t in enumerate(found["tokens"]) if t["touched"] and t["activation"] > 0]
    assert fires
    changed = [i for i, t in enumerate(found["tokens"]) if t["clean"] != t["ablated"]]
    assert changed
    assert min(changed) > min(fires)  # a token's own loss is decided before it
    for prediction in found["predictions"]:
        assert prediction["position"] in fires
        lost = [t["steered"] - t["clean"] for t in prediction["lost"]]
        assert lost == sorted(lost)
        assert all(difference < 0 for difference in lost)
    kept = stored(project, found["evidence"])
    assert (kept.kind, kept.recipe["by"], kept.recipe["text"]) == (EvidenceKind.ABLATION, by, TEXT)


def test_attribution_asks_about_each_next_token_or_a_given_one(
    project: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    feature = str(live_feature(project))
    assert run(["attribute", feature, "--text", TEXT, *project]) == 0
    found = only_line(capsys)
    tokens = found["tokens"]
    assert [t["target"] for t in tokens] == [*(t["token"] for t in tokens[1:]), None]
    assert all((t["effect"] == 0) == (t["activation"] == 0) for t in tokens[:-1])
    assert found["sources"] is None
    assert stored(project, found["evidence"]).kind is EvidenceKind.ATTRIBUTION
    assert run(["attribute", feature, "--text", TEXT, "--token", "c", *project]) == 0
    asked = only_line(capsys)
    assert asked["target"].strip() == "c"
    assert all(math.isfinite(t["effect"]) for t in asked["tokens"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["steer", "{live}", "  "], "a prompt is empty"),
        (["steer", "{live}", "law", "--strength", "nan"], "no strength 'nan'"),
        (["steer", "{live}", "law", "--strength", "much"], "no strength 'much'"),
        (["steer", "{live}", "law", "--strength", "0x"], "the strength '0x' is 0"),
        (["steer", "{live}", "law", "--positions", "first"], "choose one of all, last, generated"),
        (["steer", "{live}", "law", "--random", "9"], "--random"),
        (["steer", "{live}", "law " * 30], "takes 64"),
        (["steer", "{live}", "law", "--length", "64"], "takes 64"),
        (["steer", "40", "law"], "the dictionary has 40, numbered 0-39"),
        (["steer", "cats", "law"], "unknown feature 'cats'"),
        (["steer", "other/1-mlp/3", "law"], "'other/1-mlp/3' is not a feature of"),
        (["steer", "{live}"], "prompts"),
        (["steer", "{live}", "law", "--strength", "1e30x"], "largest safe strength"),
        (["steer", "{live}", "law", "--site", "0.resid"], "belongs to site '1.mlp_hidden'"),
        (["ablate", "{live}", "--text", "  "], "the text is empty"),
        (["ablate", "{live}", "--text", "e"], "is a single token"),
        (["ablate", "{live}", "--text", "law " * 60], "takes 64"),
        (["ablate", "{live}", "--text", "law", "--by", "nothing"], "choose one of zero, mean, resample"),
        (
            ["attribute", "{live}", "--text", "law", "--token", "court of law"],
            "is not one token of tiny-llama",
        ),
        (["attribute", "{live}", "--text", "law", "--token", ""], "the token '' is empty"),
        (["attribute", "{live}", "--text", "law " * 60], "takes 64"),
        (["effects", "999"], "the dictionary has 40, numbered 0-39"),
        (["stress", "nonsense"], "unknown feature 'nonsense'"),
    ],
)
def test_bad_input_says_what_to_change(
    project: list[str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    live = str(live_feature(project))
    assert run([*(a.replace("{live}", live) for a in arguments), *project]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return attention_project(tmp_path_factory.mktemp("attention"))


def test_heads_and_sources_add_up_to_what_the_encoder_computes(
    attention: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["attribute", "5", "--text", TEXT, *attention]) == 0
    found = only_line(capsys)
    sources = found["sources"]
    total = sum(h["contribution"] for h in sources["heads"]) + sources["other_heads"] + sources["bias"]
    assert total == pytest.approx(sources["preactivation"], abs=1e-4)
    assert len(sources["heads"]) == 4
    assert sources["activation"] == max(t["activation"] for t in found["tokens"][1:])
    assert found["tokens"][sources["position"]]["token"] == sources["token"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["steer", str(DEAD), "law"],
        ["ablate", str(DEAD), "--text", TEXT],
        ["attribute", str(DEAD), "--text", TEXT],
        ["effects", str(DEAD)],
        ["stress", str(DEAD)],
    ],
)
def test_a_feature_that_never_fires_has_no_strength(
    attention: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, *attention]) == 2
    captured = capsys.readouterr()
    assert f"feature {DEAD} never fires on the explore split" in captured.err
    assert captured.out == ""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedProject:
    return planted_project(tmp_path_factory.mktemp("planted"))


def test_effects_of_a_planted_feature_are_found_kept_and_used(
    planted: PlantedProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feature = planted.truth.features["clean"]
    assert run(["effects", str(feature), "--out", str(tmp_path), *planted.flags]) == 0
    found = only_line(capsys)
    concept = found["effects"]["concept"]
    assert concept
    assert set(concept) <= set(planted.truth.concepts["clean"])
    assert (tmp_path / f"effects-{feature}.html").is_file()
    kept = stored(planted.flags, found["evidence"])
    assert kept.kind is EvidenceKind.CAUSES
    with Ledger.open(home(planted.flags) / "ledger.sqlite") as ledger:
        strengths = ledger.latest_evidence(kept.feature, EvidenceKind.STRENGTHS)
        assert strengths is not None
        assert strengths.payload == found["up"]
    assert run(["effects", str(feature), *planted.flags]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == found
    assert "measured before" in captured.err
    # A steered text now shows which of its tokens the feature is known to raise.
    assert run(["steer", str(feature), "the", "--strength", "kl=2", "--samples", "8", *planted.flags]) == 0
    steered = only_line(capsys)
    assert steered["concept"] == concept
    shares = {
        c["name"]: sum(s["concept_share"] for s in c["continuations"])
        for c in steered["prompts"][0]["columns"]
    }
    assert shares["steered"] > shares["clean"]
    assert shares["steered"] > shares["random direction"]


@pytest.mark.slow
def test_a_stress_report_is_kept_with_its_failing_cells(
    planted: PlantedProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feature = planted.truth.features["clean"]
    asked = ["stress", str(feature), "--out", str(tmp_path), *planted.flags]
    assert run(asked) == 0
    found = only_line(capsys)
    assert found["grade"] in "ABCDF"
    assert found["cells"]
    assert {"lexical neighbours", "siblings", "weak activations"} <= {c["name"] for c in found["checks"]}
    assert stored(planted.flags, found["evidence"]).kind is EvidenceKind.STRESS
    assert found["grade"] in (tmp_path / f"stress-{feature}.html").read_text()
    assert run(asked) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == found
    assert "tested before" in captured.err
