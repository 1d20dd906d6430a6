"""delphi 0.1.3's explainer and scorers as a library, on windows that are handed to it.

The pipeline is the peer's own with its default prompts: DefaultExplainer, then DetectionScorer and
FuzzingScorer with five windows a prompt. Its loader is left out: the records are made from our windows,
so that both sides judge identical text.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.delphi_peer import load_peer
from benchmarks.planted_words import FeatureWindows, Reader
from glossator.probes.intervals import Counts, metric_intervals
from glossator.records import Metric, Window

SHOWN = 5
"""Windows per prompt, as its command line sets it."""
_EXAMPLE = re.compile(r"^Example (\d+): ", re.MULTILINE)
_CLAIM = re.compile(r"^Latent explanation: (.*)$", re.MULTILINE)
Messages = Sequence[dict[str, str]]


class PeerRun(NamedTuple):
    """One run of the peer's pipeline."""

    seconds: float
    calls: int
    detection: tuple[Any, ...]
    """`ScorerResult`s, in order of completion."""
    fuzzing: tuple[Any, ...]


class PeerScores(NamedTuple):
    """What the peer's answers about one feature come to."""

    value: float | None
    """Balanced accuracy of detection."""
    half_width: float
    """Of its 95 % interval, by our method."""
    lost: int
    """Windows without an answer."""


def load_scoring() -> bool:
    """Whether the peer's scorers can be used here."""
    if load_peer() is None:
        return False
    importlib.import_module("delphi.scorers")
    return True


def peer_answer(reader: Reader, messages: Messages) -> str:
    """What the scripted reader says to a prompt of the peer's."""
    said = messages[-1]["content"]
    claim = _CLAIM.search(said)
    if claim is None:
        return f"[EXPLANATION]: {reader.label(said)}"
    texts = _EXAMPLE.split(said)[2::2]
    return str([int(reader.fires(claim[1], text.strip("\n"))) for text in texts])


def records_of(windows: Sequence[FeatureWindows]) -> list[Any]:
    """The peer's records, from our windows."""
    latents = importlib.import_module("delphi.latents.latents")
    samplers = importlib.import_module("delphi.latents.samplers")
    records: list[Any] = []
    for one in windows:
        train, test = ([_activating(latents, w) for w in part] for part in (one.train, one.firing))
        top = max(float(e.activations.max()) for e in train)
        records.append(
            latents.LatentRecord(
                latent=latents.Latent("layers.0", one.feature.index),
                examples=train,
                train=samplers.normalize_activations(train, top),
                test=samplers.normalize_activations(test, top),
                not_active=[_silent(latents, w) for w in one.silent],
            )
        )
    return records


def _activating(latents: Any, window: Window) -> Any:
    return latents.ActivatingExample(
        tokens=torch.zeros(len(window.tokens), dtype=torch.long),
        activations=torch.tensor(window.activations),
        str_tokens=list(window.tokens),
    )


def _silent(latents: Any, window: Window) -> Any:
    return latents.NonActivatingExample(
        tokens=torch.zeros(len(window.tokens), dtype=torch.long),
        activations=torch.tensor(window.activations),
        str_tokens=list(window.tokens),
        distance=-1.0,
    )


def run_peer(
    windows: Sequence[FeatureWindows],
    reader: Reader,
    *,
    concurrency: int,
    latency: float = 0.0,
    seen: Callable[[Messages, str], None] | None = None,
    remembered: dict[str, str] | None = None,
) -> PeerRun:
    """Explain every feature and score it by detection and fuzzing, `concurrency` features at once.

    Args:
        windows: what each feature is explained and scored on.
        reader: who answers.
        concurrency: the peer's own bound; it asks one question per scorer and feature at a time.
        latency: seconds that an answer takes.
        seen: told of every prompt and its answer.
        remembered: answers by question, kept between runs, so that answering costs a timed run nothing.
    """
    client_module = importlib.import_module("delphi.clients.client")
    pipes = importlib.import_module("delphi.pipeline")
    explainers, scorers = (importlib.import_module(f"delphi.{name}") for name in ("explainers", "scorers"))
    calls = 0

    async def generate(_self: Any, prompt: Messages, **_options: Any) -> Any:
        nonlocal calls
        calls += 1
        if latency:
            await asyncio.sleep(latency)
        question = prompt[0]["content"] + prompt[-1]["content"]
        answer = None if remembered is None else remembered.get(question)
        if answer is None:
            answer = peer_answer(reader, prompt)
        if remembered is not None:
            remembered[question] = answer
        if seen is not None:
            seen(prompt, answer)
        return client_module.Response(answer)

    client = type("ScriptedClient", (client_module.Client,), {"generate": generate})("scripted")
    results: dict[str, list[Any]] = {"detection": [], "fuzz": []}

    def explained(found: list[Any]) -> Any:
        found[0].record.explanation = found[0].explanation
        return found[0].record

    def scorer(kind: Any) -> Any:
        return pipes.process_wrapper(
            kind(client, n_examples_shown=SHOWN), preprocess=explained, postprocess=results[kind.name].append
        )

    records = records_of(windows)
    pipeline = pipes.Pipeline(
        lambda: iter(records),
        pipes.Pipe(explainers.DefaultExplainer(client)),
        pipes.Pipe(scorer(scorers.DetectionScorer), scorer(scorers.FuzzingScorer)),
    )
    with contextlib.redirect_stderr(io.StringIO()):
        began = time.perf_counter()
        asyncio.run(pipeline.run(concurrency))
        seconds = time.perf_counter() - began
    return PeerRun(seconds, calls, tuple(results["detection"]), tuple(results["fuzz"]))


def detection_of(run: PeerRun, windows: Sequence[FeatureWindows]) -> list[PeerScores]:
    """Detection of each feature, with the interval that our scores have: documents are resampled."""
    by_feature = {one.feature.index: one for one in windows}
    return [_scores(r.score, by_feature[r.record.latent.latent_index]) for r in run.detection]


def _scores(outputs: Sequence[Any], windows: FeatureWindows) -> PeerScores:
    document = {w.tokens: w.document for w in (*windows.firing, *windows.silent)}
    numbers = {name: i for i, name in enumerate(sorted(set(document.values())))}
    counts = Counts(*(np.zeros(len(numbers), np.int64) for _ in range(4)))
    lost = 0
    for output in outputs:
        if output.prediction is None:
            lost += 1
            continue
        said, truth = bool(output.prediction), bool(output.activating)
        column = (counts.tp if said else counts.fn) if truth else (counts.fp if said else counts.tn)
        column[numbers[document[tuple(output.str_tokens)]]] += 1
    tp, fp, fn, tn = (int(c.sum()) for c in counts)
    (interval,) = metric_intervals(counts, [Metric.BALANCED_ACCURACY], seed=0)
    defined = tp + fn and tn + fp
    value = (tp / (tp + fn) + tn / (tn + fp)) / 2 if defined else None
    return PeerScores(value, (interval.high - interval.low) / 2, lost)
