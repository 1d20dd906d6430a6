"""Building and reading an activation index, against the bare forward pass and against delphi.

    pip install --no-deps -r benchmarks/requirements-delphi.txt   # for the comparison with the peer
    python -m benchmarks.activation_index [--quick] [--json] [--subject FOLDER]

One process, the same tokens, weights, threads and precision. The machine's speed drifts, so each build
stands between two runs of what it is compared with, and the median of the ratios is reported. The
dictionaries are random directions on standardised activations: only their speed matters here.

The peer runs the subject and the coder in the subject's own precision, as ours reads the subject. It
runs every layer where ours stops at the site, so the bare forward pass over the peer is the most that
any build can reach against it; that ratio is printed beside ours.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from pydantic import JsonValue

from benchmarks import delphi_peer
from benchmarks.index_memory import measure_apart
from benchmarks.report_form import Row, emit
from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.corpus import Document, iter_documents
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject, load_subject
from glossator.probes.windows import firing_windows, to_windows
from glossator.records import SiteRef, Split
from glossator.starter_assets import default_cache, starter_corpus_path, starter_subject_path

SEED = 0
CONTEXT = 256
BATCH_ROWS = 8
K = 24
LAYER = 12
ENOUGH_WINDOWS = 60
"""Windows of 32 tokens in which a feature fires, so that the peer, whose rows differ, has its 50 too."""
DOCUMENT_CHARACTERS = 2000
PACKAGES = ("glossator", "torch", "transformers", "numpy", "eai-delphi", "eai-sparsify")


class Sizes(NamedTuple):
    """How much is measured."""

    tokens: int
    """Of a build compared with the bare forward pass."""
    repeats: int
    peer_tokens: int
    """Of a build compared with the peer."""
    peer_repeats: int
    memory: tuple[int, int]
    """Corpora whose peak memory is compared."""


FULL = Sizes(131_072, 3, 65_536, 2, (200_000, 800_000))
QUICK = Sizes(16_384, 1, 16_384, 1, (100_000, 400_000))


@dataclass(frozen=True)
class Bench:
    """What every measurement shares."""

    subject: Subject
    documents: list[Document]
    scratch: Path

    def corpus(self, tokens: int) -> list[Document]:
        """Documents of about so many tokens."""
        counts = np.cumsum([len(ids) for ids in self.subject.tokenize([d.text for d in self.documents])])
        return self.documents[: int(np.searchsorted(counts, tokens)) + 1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer tokens, one repeat")
    parser.add_argument("--json", action="store_true", help="print a last line of JSON")
    parser.add_argument("--subject", help="folder, hub id or GGUF file; the starter subject by default")
    asked = parser.parse_args(arguments)
    sizes = QUICK if asked.quick else FULL
    with tempfile.TemporaryDirectory(prefix="index-benchmark-") as scratch:
        bench = Bench(_subject(asked.subject), _documents(), Path(scratch))
        rows: list[Row] = []
        keys: dict[str, JsonValue] = {}
        compare_with_bare(bench, sizes, rows, keys)
        compare_with_peer(bench, sizes, rows, keys)
        memory_and_disk(bench, sizes, rows, keys)
    title = (
        f"Activation index of {bench.subject.name}, {LAYER}.resid, {bench.subject.dtype}, k={K}, "
        f"rows of {CONTEXT}, {torch.get_num_threads()} threads, seed {SEED}, "
        f"{sizes.tokens:,} and {sizes.peer_tokens:,} tokens"
    )
    emit(title, rows, keys, asked.json, PACKAGES)


def compare_with_bare(bench: Bench, sizes: Sizes, rows: list[Row], keys: dict[str, JsonValue]) -> None:
    """Tokens per second of a whole build over those of the forward passes alone, at 4,096 features."""
    dictionary, documents = random_dictionary(bench, 4096), bench.corpus(sizes.tokens)
    folder = bench.scratch / "bare"
    first, _ = _timed_build(bench, dictionary, documents, folder)  # to warm up
    tokens = _tokens_of(first)
    bare = [_bare_rate(bench, tokens)]
    rates: list[float] = []
    ratios: list[float] = []
    for _ in range(sizes.repeats):
        rates.append(_timed_build(bench, dictionary, documents, folder)[1])
        bare.append(_bare_rate(bench, tokens))
        ratios.append(rates[-1] / statistics.mean(bare[-2:]))
    ratio = statistics.median(ratios)
    keys["ratio_to_bare_4096"] = round(ratio, 4)
    spread = f"{min(ratios):.3f} to {max(ratios):.3f} in {len(ratios)}"
    rows.append(Row("build / bare forward, 4,096 features", f"{ratio:.3f}", f"bar 0.90; {spread}"))
    rows.append(Row("  build", f"{statistics.median(rates):,.0f} tok/s", "text to finished index"))
    rows.append(Row("  bare forward to the site", f"{statistics.median(bare):,.0f} tok/s"))


def compare_with_peer(bench: Bench, sizes: Sizes, rows: list[Row], keys: dict[str, JsonValue]) -> None:
    """Speed of building and of reading, ours over the peer's, at 16,384 features."""
    keys.update(dict.fromkeys(("ratio_to_delphi_16384", "windows_speedup_1", "windows_speedup_100"), None))
    latents = delphi_peer.load_peer()
    if latents is None:
        rows.append(
            Row("delphi 0.1.3", "absent", "pip install --no-deps -r benchmarks/requirements-delphi.txt")
        )
        return
    dictionary, documents = random_dictionary(bench, 16384), bench.corpus(sizes.peer_tokens)
    folder = bench.scratch / "ours"
    index, rate = _timed_build(bench, dictionary, documents, folder)
    rates, peer_rates, bare, ratios, per_activation = [rate], list[float](), list[float](), list[float](), ""
    for repeat in range(sizes.peer_repeats):
        peer_folder = bench.scratch / f"peer-{repeat}"
        cached = _peer_cache(bench, latents, dictionary, _tokens_of(index), peer_folder)
        bare.append(_bare_rate(bench, _tokens_of(index)))
        index, rate = _timed_build(bench, dictionary, documents, folder)
        rates.append(rate)
        peer_rates.append(cached.tokens / cached.seconds)
        ratios.append(statistics.mean(rates[-2:]) / peer_rates[-1])
        if repeat == 0:
            per_activation = f"{cached.bytes / cached.pairs:.2f}"
            _reading(bench, latents, index, peer_folder, rows, keys)
    keys["ratio_to_delphi_16384"] = round(statistics.median(ratios), 3)
    note = f"bar 5; {statistics.median(rates):,.0f} against {statistics.median(peer_rates):,.0f} tok/s"
    rows.append(Row("build / delphi, 16,384 features", f"{statistics.median(ratios):.2f} ×", note))
    ceiling = statistics.median(b / p for b, p in zip(bare, peer_rates, strict=True))
    keys["bare_to_delphi_16384"] = round(ceiling, 3)
    rows.append(Row("  bare forward / delphi", f"{ceiling:.2f} ×", "the most that any build can reach"))
    # The peer's published recipe for a CPU loads the model in float32, so that is what its users see.
    plain = _peer_cache(
        bench,
        latents,
        dictionary,
        _tokens_of(index)[: 8 * BATCH_ROWS],
        bench.scratch / "peer-fp32",
        torch.float32,
    )
    as_published = statistics.median(rates) / (plain.tokens / plain.seconds)
    keys["ratio_to_delphi_fp32_16384"] = round(as_published, 3)
    rate32 = f"{plain.tokens / plain.seconds:,.0f} tok/s on {plain.tokens:,} tokens"
    rows.append(Row("  build / delphi in float32, its own CPU recipe", f"{as_published:.2f} ×", rate32))
    rows.append(Row("  delphi, bytes per stored activation", per_activation))


def _reading(
    bench: Bench,
    latents: Any,
    index: ActivationIndex,
    peer: Path,
    rows: list[Row],
    keys: dict[str, JsonValue],
) -> None:
    """Time from nothing opened to 50 windows of each of 1 and of 100 features."""
    live = index.live_features(ENOUGH_WINDOWS)
    often = [
        f for f in live.tolist() if len(np.unique(index.explore.firings(f).position // 32)) >= ENOUGH_WINDOWS
    ]
    chosen = np.random.default_rng(SEED).permutation(often)[:100].tolist()
    for count in (1, 100):
        name = f"50 windows of {count} feature{'s' * (count > 1)}, cold"
        if len(chosen) < count:  # a time for fewer features must not stand under this name
            rows.append(
                Row(name, "not measured", f"only {len(chosen)} features fire often enough: more tokens")
            )
            continue
        features = sorted(chosen[:count])
        ours = statistics.median(_seconds_to_windows(index.path, features) for _ in range(3))
        theirs = delphi_peer.seconds_to_windows(latents, peer, LAYER, features, bench.subject.tokenizer)
        keys[f"windows_speedup_{count}"] = round(theirs / ours, 2)
        note = (
            f"goal 10; {1000 * ours:,.0f} against {1000 * theirs:,.0f} ms; ours reads explore, the peer all"
        )
        rows.append(Row(name, f"{theirs / ours:.1f} ×", note))


def _seconds_to_windows(path: Path, features: list[int]) -> float:
    began = time.perf_counter()
    index = ActivationIndex.open(path)
    for feature in features:
        batch = firing_windows(index.explore, feature, threshold=0.0, n=50, seed=SEED)
        to_windows(index.explore, feature, batch)
    return time.perf_counter() - began


def memory_and_disk(bench: Bench, sizes: Sizes, rows: list[Row], keys: dict[str, JsonValue]) -> None:
    """Peak memory and bytes per stored activation with a tiny subject, each in a fresh process."""
    small, large = (measure_apart(bench.scratch / f"memory-{n}", n) for n in sizes.memory)
    growth = large.peak_bytes / small.peak_bytes - 1
    size = max(small.disk_bytes / small.pairs, large.disk_bytes / large.pairs)
    keys["rss_growth"], keys["bytes_per_activation"] = round(growth, 4), round(size, 3)
    span = f"{sizes.memory[0]:,} to {sizes.memory[1]:,} tokens, tiny subject"
    peaks = f"{small.peak_bytes / 2**20:,.0f} to {large.peak_bytes / 2**20:,.0f} MiB"
    rows.append(Row("growth of peak memory", f"{100 * growth:.1f} %", f"bar 10 %; {span}, {peaks}"))
    rows.append(
        Row("bytes per stored activation", f"{size:.2f}", "bar 5; whole folder, the larger of both corpora")
    )


def random_dictionary(bench: Bench, features: int) -> SparseCoder:
    """Random directions on activations of mean 0 and variance 1, k a token."""
    site = SiteRef.parse(f"{LAYER}.resid")
    ids = bench.subject.tokenize([bench.documents[0].text])[0][:CONTEXT]
    with torch.inference_mode():
        sample = bench.subject.activations(site, torch.tensor([ids]))[0, 1:].float()
    generator = torch.Generator().manual_seed(SEED)
    rows = torch.randn(features, sample.shape[1], generator=generator) / (sample.std(0) + 1e-3)
    rows = (rows / rows.norm(dim=1, keepdim=True)).clone()
    weights = CoderWeights(
        W_enc=rows.T.contiguous(), b_enc=torch.zeros(features), W_dec=rows, b_dec=sample.mean(0).clone()
    )
    options = CoderOptions(activation=Activation.TOPK, k=K, apply_b_dec_to_input=True)
    return SparseCoder(weights, options, name=f"random-{features}", site=site)


def _timed_build(
    bench: Bench, dictionary: SparseCoder, documents: list[Document], folder: Path
) -> tuple[ActivationIndex, float]:
    """A fresh index in `folder`, and its tokens per second, everything included."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    began = time.perf_counter()
    index = build_index(folder, bench.subject, dictionary, documents, context=CONTEXT)
    seconds = time.perf_counter() - began
    return index, sum(split.tokens for split in index.manifest.splits.values()) / seconds


def _tokens_of(index: ActivationIndex) -> Int[torch.Tensor, "rows context"]:
    """All tokens of the index in rows of `CONTEXT`, a whole number of batches."""
    parts = [np.fromfile(index.path / f"{split}.ids", dtype="<u2") for split in Split]
    ids = torch.from_numpy(np.concatenate(parts).astype(np.int64))
    batch = BATCH_ROWS * CONTEXT
    return ids[: len(ids) // batch * batch].reshape(-1, CONTEXT)


def _bare_rate(bench: Bench, tokens: Int[torch.Tensor, "rows context"]) -> float:
    """Tokens per second of the forward passes to the site, nothing kept."""
    site = SiteRef.parse(f"{LAYER}.resid")
    began = time.perf_counter()
    with torch.inference_mode():
        for rows in tokens.split(BATCH_ROWS):
            bench.subject.activations(site, rows)
    return tokens.numel() / (time.perf_counter() - began)


def _peer_cache(
    bench: Bench,
    latents: Any,
    dictionary: SparseCoder,
    tokens: Int[torch.Tensor, "rows context"],
    folder: Path,
    dtype: torch.dtype | None = None,
) -> delphi_peer.PeerCache:
    """The peer's cache of `tokens`, in the subject's own number format or another."""
    weights = dictionary.weights
    encode = delphi_peer.TopK(weights.W_enc, weights.b_dec, K, dtype or bench.subject.dtype)
    base: torch.nn.Module = bench.subject.model.get_submodule(bench.subject.model.base_model_prefix)
    if dtype is not None:
        base = copy.deepcopy(base).to(dtype)
    return delphi_peer.run_cache(latents, base, LAYER, encode, tokens, folder, bench.subject.name)


def _documents() -> list[Document]:
    """Beginnings of the starter corpus' documents, in an order drawn once."""
    documents = [d._replace(text=d.text[:DOCUMENT_CHARACTERS]) for d in iter_documents(starter_corpus_path())]
    order = np.random.default_rng(SEED).permutation(len(documents))
    return [documents[i] for i in order]


def _subject(source: str | None) -> Subject:
    if source is not None:
        return load_subject(source)
    cache = default_cache()
    return load_subject(starter_subject_path(cache), cache=cache / "converted")


if __name__ == "__main__":
    main()
