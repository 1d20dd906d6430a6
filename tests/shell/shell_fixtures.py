"""A tiny subject in a folder, a text file, and a labeller that reads nothing: a whole session in seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from glossator.probes.tiny_subject import tiny_subject
from glossator.records import (
    Evidence,
    EvidenceKind,
    Explanation,
    FeatureCard,
    FeatureRef,
    Verdict,
    VerdictKind,
)
from glossator.settings import Settings, load_settings


class LabelledFeature(NamedTuple):
    card: FeatureCard
    evidence: tuple[Evidence, ...]


class FakeLabeller:
    """Labels a feature by its number; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.fail_at: int | None = None
        self.error: BaseException = KeyboardInterrupt()

    def __call__(
        self, index: Any, dictionary: Any, effects: Any, features: Sequence[int], **options: Any
    ) -> Iterator[LabelledFeature]:
        for feature in features:
            if feature == self.fail_at:
                raise self.error
            self.asked.append(feature)
            subject, name = options["names"]
            yield self.one(index.identity, FeatureRef(subject=subject, dictionary=name, index=feature))

    def one(self, identity: str, ref: FeatureRef) -> LabelledFeature:
        evidence = Evidence.of(ref, EvidenceKind.STATISTICS, {"index": identity}, {"n": ref.index})
        labelled = ref.index % 5 != 4
        text = f"the word number{ref.index} in legal language"
        claim = Explanation.of(ref, "embedded-analyst/1", text, None) if labelled else None
        kind = VerdictKind.TENTATIVE if labelled else VerdictKind.ABSTAINED
        card = FeatureCard(
            feature=ref, explanation=claim, verdict=Verdict(kind=kind, reason="made up"), scores=(),
            density=0.1, n_firings=3,
            max_activation=1.0, histogram_edges=(0.5, 1.0), histogram_counts=(3,), promoted=(),
            suppressed=(), windows=(), silent_windows=(), neighbours=(), evidence=(evidence.id,),
            index_identity=identity,
        )  # fmt: skip
        return LabelledFeature(card, (evidence,))


def tiny_project(folder: Path) -> list[str]:
    """Make a subject and a corpus in `folder`; returns the flags that name them."""
    subject = tiny_subject("llama")
    subject.model.save_pretrained(folder / "tiny-llama")
    subject.tokenizer.save_pretrained(folder / "tiny-llama")
    words = ["law", "court", "cat", "dog", "river", "number", "seven", "green"]
    paragraphs = [" ".join(words[(i * j) % len(words)] for j in range(1, 60)) + f" {i}." for i in range(60)]
    (folder / "corpus.txt").write_text("\n\n".join(paragraphs))
    return [
        "--subject", str(folder / "tiny-llama"), "--dictionary", "neurons:1",
        "--corpus", str(folder / "corpus.txt"),
        "--tokens", "3000", "--context", "32", "--embedder", "hashing", "--home", str(folder / "home"),
        "--cache", str(folder / "cache"),
    ]  # fmt: skip


def flag_settings(flags: Sequence[str], folder: Path, **changed: object) -> Settings:
    """The settings that `flags` make, in `folder` and without any environment."""
    given = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    return load_settings({**given, **changed}, folder=folder, environment={}).settings


def install(labeller: FakeLabeller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put `labeller` where the command looks for the real one."""
    module = ModuleType("glossator.agents.labelling")
    module.__dict__.update(label_features=labeller)
    monkeypatch.setitem(sys.modules, "glossator.agents.labelling", module)
