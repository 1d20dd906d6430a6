"""Peak memory and size on disk of one index build with a tiny subject, in a process of its own.

    python -m benchmarks.index_memory FOLDER TOKENS

The subject looks vectors up; the dictionary keeps 24 of 4,096 features a token, like the starter's, so
the index is as large as a real one. Prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from glossator.probes.activation_index import build_index
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.corpus import Document
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef

ROOT = Path(__file__).resolve().parents[1]
WORDS = 30_000
WIDTH = 32
FEATURES = 4096
K = 24
DOCUMENT_TOKENS = 1000


class MemoryUse(NamedTuple):
    """What one build took."""

    peak_bytes: int
    pairs: int
    disk_bytes: int


class WordList:
    """A subject whose tokens are numbers and whose activations are looked up."""

    name = "word-list"
    context_length = 256
    row_prefix = ()

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self._table = torch.randn(WORDS, WIDTH, generator=generator)
        self.vocabulary = Vocabulary(tuple(f" w{i}" for i in range(WORDS)))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[int(word) for word in text.split()] for text in texts]

    def activations(
        self,
        site: SiteRef,
        ids: Int[torch.Tensor, "batch pos"],
        mask: Int[torch.Tensor, "batch pos"] | None = None,
    ) -> Float[torch.Tensor, "batch pos d"]:
        own = self._table[ids]
        return own + 0.5 * own.roll(1, dims=1)

    def fingerprint(self) -> str:
        return hashlib.sha256(self._table.numpy().tobytes()).hexdigest()


class NumberCorpus:
    """Documents of random numbers, made as they are read."""

    def __init__(self, tokens: int) -> None:
        self._documents = tokens // DOCUMENT_TOKENS

    def __iter__(self) -> Iterator[Document]:
        rng = np.random.default_rng(0)
        for number in range(self._documents):
            text = " ".join(map(str, rng.integers(0, WORDS, DOCUMENT_TOKENS)))
            yield Document(str(number), "", "", text, "random")


def random_dictionary() -> SparseCoder:
    """4,096 random directions, of which each token keeps 24."""
    rows = torch.randn(FEATURES, WIDTH, generator=torch.Generator().manual_seed(1))
    weights = CoderWeights(
        W_enc=rows.T.contiguous(), b_enc=torch.zeros(FEATURES), W_dec=rows, b_dec=torch.zeros(WIDTH)
    )
    return SparseCoder(
        weights, CoderOptions(activation=Activation.TOPK, k=K), name="random", site=SiteRef.parse("0.resid")
    )


def measure_apart(folder: Path, tokens: int) -> MemoryUse:
    """Build in a fresh process and return what it took."""
    command = [sys.executable, "-m", "benchmarks.index_memory", str(folder), str(tokens)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return MemoryUse(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    folder, tokens = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    index = build_index(folder, WordList(), random_dictionary(), NumberCorpus(tokens))
    pairs = sum(split.pairs for split in index.manifest.splits.values())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(json.dumps(MemoryUse(_peak_bytes(), pairs, size)))


def _peak_bytes() -> int:
    """Peak memory of this process alone.

    Where the kernel tells it, from VmHWM: `ru_maxrss` also counts the parent that this process was
    forked from, and hides everything smaller.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found is not None:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
