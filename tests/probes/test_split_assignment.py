from __future__ import annotations

import hashlib

import numpy as np

from glossator.probes.near_duplicates import NearDuplicates, shingle_hashes
from glossator.probes.split_assignment import SplitAssigner, normalise, split_of
from glossator.records import Split


def text_of(seed: int, words: int = 300) -> str:
    return " ".join(f"w{i}" for i in np.random.default_rng(seed).integers(0, 5000, words))


def test_proportions() -> None:
    splits = [split_of(f"document number {i}") for i in range(20_000)]
    shares = [splits.count(split) / len(splits) for split in Split]
    assert np.allclose(shares, [0.6, 0.2, 0.2], atol=0.015)  # about 4 standard errors


def test_rule_is_the_written_one() -> None:
    digest = hashlib.sha256(b"hello world").digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    expected = Split.EXPLORE if fraction < 0.6 else Split.VALIDATE if fraction < 0.8 else Split.SEALED
    assert split_of("  Hello\n\tWORLD ") == expected


def test_case_whitespace_and_compatibility_forms_do_not_matter() -> None:
    for i in range(200):
        text = f"Document number {i} about fish"
        assert split_of(text) == split_of(text.upper().replace(" ", " \n "))
        assert split_of(text) == split_of(text.replace("fi", "\ufb01"))


def test_near_duplicates_fall_together() -> None:
    assigner = SplitAssigner()
    rng = np.random.default_rng(0)
    moved = 0
    for seed in range(60):
        words = text_of(seed).split()
        first = assigner.assign(" ".join(words))
        for _ in range(2):
            words[int(rng.integers(len(words)))] = "changed"
        copy = " ".join(words)
        moved += split_of(copy) != first
        assert assigner.assign(copy) == first
    assert moved > 10  # without grouping the copies would have gone elsewhere


def test_different_documents_stay_apart() -> None:
    seen = NearDuplicates()
    assert [seen.first_like(i, normalise(text_of(i))) for i in range(100)] == list(range(100))


def test_shared_half_is_not_a_near_duplicate() -> None:
    seen = NearDuplicates()
    seen.first_like(0, text_of(1) + " " + text_of(2))
    assert seen.first_like(1, text_of(1) + " " + text_of(3)) == 1


def test_short_empty_and_spaceless_texts() -> None:
    seen = NearDuplicates()
    assert seen.first_like(0, "two words") == 0
    assert seen.first_like(1, "two words") == 0
    assert seen.first_like(2, "") == 2
    spaceless = "".join(chr(0x4E00 + int(i)) for i in np.random.default_rng(0).integers(0, 3000, 900))
    assert seen.first_like(3, spaceless) == 3
    assert seen.first_like(4, spaceless[:-3] + "口口口") == 3


def test_shingle_hashes_depend_on_the_five_words_alone() -> None:
    words = text_of(5, 40)
    alone, shifted = shingle_hashes(words), shingle_hashes("some other start " + words)
    assert len(alone) == 36
    assert np.array_equal(alone, shifted[3:])
    assert len(np.unique(alone)) == 36
