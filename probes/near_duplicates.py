"""Finds documents that are nearly the same, so that no split sees another's text.

MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*,
ch. 3) over shingles of five words. Sixty-four minima in sixteen bands of four: a pair of
documents with 80 % of their shingles in common is met with probability 0.9998, and is taken for a near
duplicate if the minima then estimate at least `THRESHOLD`. Memory is a few hundred bytes per document.

Everything is vectorised: a shingle's hash comes from prefix sums of a polynomial modulo 2^64, in which
any run of bytes costs one subtraction and one multiplication.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt64

SHINGLE_WORDS = 5
SHINGLE_BYTES = 24
"""Length of a shingle in writing without spaces."""
LONG_WORD = 40
"""Mean bytes of a word above which a text counts as written without spaces."""
BANDS = 16
ROWS = 4
THRESHOLD = 0.7
"""Estimated Jaccard similarity from which two documents are near duplicates."""
_CHUNK = 4096
_BASE = 0x9E3779B97F4A7C15 | 1
_BASE_INVERSE = pow(_BASE, -1, 2**64)


class NearDuplicates:
    """Documents seen so far, findable by any that resembles them."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._multiply = rng.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._add = rng.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)
        self._first_by_band: dict[bytes, int] = {}
        self._signatures: dict[int, UInt64[np.ndarray, " minima"]] = {}

    def first_like(self, number: int, normalised: str) -> int:
        """The number of the first document that `normalised` nearly repeats, or `number` itself.

        Args:
            number: the document's own number, not used before.
            normalised: its text as `split_assignment.normalise` gives it.
        """
        signature = self._signature(normalised)
        keys = [bytes([band]) + row.tobytes() for band, row in enumerate(signature.reshape(BANDS, ROWS))]
        candidates = {self._first_by_band[key] for key in keys if key in self._first_by_band}
        for candidate in sorted(candidates):
            if float((self._signatures[candidate] == signature).mean()) >= THRESHOLD:
                return candidate
        self._signatures[number] = signature
        for key in keys:
            self._first_by_band.setdefault(key, number)
        return number

    def _signature(self, text: str) -> UInt64[np.ndarray, " minima"]:
        shingles = shingle_hashes(text)
        minima = np.full(BANDS * ROWS, 2**64 - 1, dtype=np.uint64)
        for start in range(0, len(shingles), _CHUNK):
            part = shingles[start : start + _CHUNK, None] * self._multiply + self._add
            np.minimum(minima, (part ^ (part >> np.uint64(29))).min(axis=0), out=minima)
        return minima


def shingle_hashes(text: str) -> UInt64[np.ndarray, " shingles"]:
    """A hash of each run of five words of `text`; of the whole text where it has fewer."""
    raw = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    if len(raw) == 0:
        return np.zeros(1, dtype=np.uint64)
    gaps = np.flatnonzero(raw == ord(" "))
    starts, ends = np.concatenate([[0], gaps + 1]), np.concatenate([gaps, [len(raw)]])
    if len(raw) > LONG_WORD * len(starts) and len(raw) > SHINGLE_BYTES:
        starts, ends = np.arange(len(raw) - SHINGLE_BYTES), np.arange(SHINGLE_BYTES, len(raw))
    elif len(starts) >= SHINGLE_WORDS:
        starts, ends = starts[: 1 - SHINGLE_WORDS], ends[SHINGLE_WORDS - 1 :]
    else:
        starts, ends = starts[:1], ends[-1:]
    powers, inverses = _powers(_BASE, len(raw)), _powers(_BASE_INVERSE, len(raw))
    sums = np.zeros(len(raw) + 1, dtype=np.uint64)
    np.cumsum((raw.astype(np.uint64) + np.uint64(1)) * powers, out=sums[1:])
    hashes = (sums[ends] - sums[starts]) * inverses[starts]
    hashes ^= hashes >> np.uint64(32)
    return hashes * np.uint64(0xD6E8FEB86659FD93)


def _powers(base: int, count: int) -> UInt64[np.ndarray, " count"]:
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)
