from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.agents.tools.catalogue import catalogue
from glossator.agents.tools.rerun import rerun
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.memory.ledger import Ledger
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.text_activations import TextActivations
from glossator.records import AnyEvidence, EvidenceKind
from tests.agents.causal_planted import planted_bench
from tests.agents.tools.tool_bench import SEA, ToolBench, effects, planted, tool_bench, words_of


@pytest.fixture
def made(tmp_path: Path) -> Iterator[ToolBench]:
    planted = planted_bench()
    truth = planted.truth
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        bench = Workbench(
            names=truth.names, index=ActivationIndex.open(Path(planted.folder.name) / "index"), ledger=ledger,
            embedder=None, dictionary=lambda: truth.dictionary,
            activations=lambda: TextActivations(truth.subject, truth.dictionary), effects=effects,
            causal=lambda: planted.bench,
        )  # fmt: skip
        yield ToolBench(bench, catalogue(bench), ledger.start_run("investigate", {}))


def feature() -> int:
    return next(iter(planted_bench().truth.features.values()))


def again(made: ToolBench, evidence: AnyEvidence) -> bool:
    return asyncio.run(rerun(made.bench, evidence, made.tools)).reproduced


def test_steering_shows_prompts_beside_the_untouched_subject(made: ToolBench) -> None:
    prompt = planted_bench().truth.texts[0].split(".")[0]
    steered = made.call("steer", feature=feature(), prompts=[prompt], strength="2x")
    told = words_of(steered)
    assert "was turned to 2 times its largest activation" in told
    for column in ("continued clean", "continued steered", "continued random direction"):
        assert column in told
    (evidence,) = steered.evidence
    assert evidence.kind is EvidenceKind.STEERING
    assert {fact.evidence for fact in steered.facts} == {evidence.id}
    assert again(made, evidence)
    payload = evidence.model_dump()["payload"]
    payload["strength"]["multiple"] = 3.0
    assert not again(made, evidence.model_copy(update={"payload": payload}))


def test_steering_refuses_what_it_cannot_do(made: ToolBench) -> None:
    with pytest.raises(ToolError, match="6 prompts were given: give 1 to 5"):
        made.call("steer", feature=feature(), prompts=["a"] * 6)
    with pytest.raises(ToolError, match="prompt is empty"):
        made.call("steer", feature=feature(), prompts=[""])
    with pytest.raises(ToolError, match="strong"):
        made.call("steer", feature=feature(), prompts=["a"], strength="strong")
    with pytest.raises(ToolError, match="there is no feature 9999"):
        made.call("steer", feature=9999, prompts=["a"])


def test_ablation_says_what_a_text_loses(made: ToolBench) -> None:
    bench = made.bench
    view = bench.index.explore
    at = int(view.firings(feature()).position[0])
    row = int(view.text.row_of[at])
    start, stop = view.text.row_start[row], view.text.row_start[row + 1]
    text = "".join(view.text.strings(int(start), int(stop)))[:1500]
    lost = made.call("ablate", feature=feature(), text=text)
    assert "nats a token; it fires on" in lost.facts[0].text
    assert lost.evidence[0].kind is EvidenceKind.ABLATION
    assert again(made, lost.evidence[0])
    with pytest.raises(ToolError, match="is a single token"):
        made.call("ablate", feature=feature(), text=view.text.vocabulary.texts[int(view.text.ids[at])])


def test_subjects_that_cannot_be_steered_say_so(tmp_path: Path) -> None:
    with tool_bench(planted(tmp_path), tmp_path) as bench:
        for tool, given in (("steer", {"prompts": ["a man"]}), ("ablate", {"text": "a man and"})):
            with pytest.raises(ToolError, match="cannot be steered here"):
                bench.call(tool, feature=SEA, **given)
