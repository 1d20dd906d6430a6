"""Builds an index in child processes that are killed again and again, until one gets through.

    python -m tests.probes.killed_build FOLDER never|random|file SEED

`random` kills after a random time, `file` when a child is about to finish its first, second, third, …
file. Prints the number of children that were killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from glossator.probes.activation_index import BuildProgress, build_index
from tests.probes.index_fixtures import ReluDictionary, WordSubject, word_documents


def build(folder: Path) -> None:
    def slowly(_: BuildProgress) -> None:
        time.sleep(0.02)  # so that the first kills come before the end on any machine

    build_index(
        folder,
        WordSubject(),
        ReluDictionary(),
        word_documents(),
        context=64,
        batch_tokens=256,
        progress=slowly,
    )


def die_at_file(number: int) -> None:
    """Kill this process when it flushes its `number`-th file or folder."""
    flush, count = os.fsync, 0

    def fsync(handle: int) -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(handle)

    os.fsync = fsync


def attempt(folder: Path, mode: str, number: int, seconds: float) -> bool:
    """Whether a child, killed as `mode` says, gets through."""
    child = os.fork()
    if child == 0:
        if mode == "file":
            die_at_file(number)
        build(folder)
        os._exit(0)
    if mode == "random":
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main(folder: Path, mode: str, seed: int) -> int:
    """Run children until one gets through; returns how many were killed."""
    torch.set_num_threads(1)
    from glossator.probes.activation_index import encoding

    encoding.SHARD_PAIRS = 3000
    rng = np.random.default_rng(seed)
    killed = 0
    while not attempt(folder, mode, killed + 1, float(rng.uniform(0.0, 0.2 + 0.1 * killed))):
        killed += 1
    return killed


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
