"""Neuronpedia's files in all the ways in which its writers disagree, and damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from glossator.errors import GlossatorError, ImportedFileError, UserError
from glossator.imports.neuronpedia import read_neuronpedia
from glossator.imports.reading import ImportKind, other_names, read_labels
from glossator.records import FeatureNames
from tests.imports.foreign_files import explanation, write_batch


def source(root: Path) -> Path:
    return root / "v1" / "gpt2-small" / "6-res-jb"


def labels(folder: Path, chosen: str | None = None) -> dict[int, str]:
    return {one.feature: one.text for one in read_neuronpedia(folder, chosen)}


def test_labels_are_joined_by_index_across_batches_in_any_order(tmp_path: Path) -> None:
    in_text_order = sorted(range(12), key=str)  # "0", "1", "10", "11", "2", …: as the index column sorts
    rows = [explanation(i, f"label {i}") for i in in_text_order]
    for batch in range(3):
        write_batch(source(tmp_path) / "explanations", batch, rows[4 * batch : 4 * batch + 4])
    assert labels(tmp_path) == {i: f"label {i}" for i in range(12)}
    assert labels(source(tmp_path)) == labels(tmp_path)


def test_batches_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for batch in range(11):
        write_batch(
            source(tmp_path) / "explanations", batch, [explanation(0, f"from {batch}")], gz=batch % 2 == 0
        )
    assert [one.text for one in read_neuronpedia(tmp_path)] == [f"from {n}" for n in range(11)]


@pytest.mark.parametrize(
    "more",
    [
        {"embedding": [0.1] * 256},
        {"embedding": "[0.1,0.2]"},
        {"embedding": None},
        {"createdAt": "2026-01-01T00:00:00Z", "scoreV1": 0.5, "a key of tomorrow": {"x": [1]}},
        {"index": 7},
    ],
)
def test_what_we_do_not_need_may_be_anything(more: dict[str, object], tmp_path: Path) -> None:
    write_batch(source(tmp_path) / "explanations", 0, [explanation(7, "the sea", **more)])
    assert labels(tmp_path) == {7: "the sea"}


def test_a_row_may_be_bare(tmp_path: Path) -> None:
    write_batch(tmp_path / "explanations", 0, [{"index": "7", "description": "the sea"}, ""], gz=False)
    (label,) = read_neuronpedia(tmp_path)
    assert (label.author, label.type_name, label.claimed) == ("neuronpedia", "", ())


def test_who_wrote_it_how_and_what_is_claimed(tmp_path: Path) -> None:
    row = explanation(3, "the sea")
    write_batch(source(tmp_path) / "explanations", 0, [row])
    score = {"explanationId": row["id"], "value": 0.9, "explanationScoreTypeName": "eleuther_fuzz",
             "explanationScoreModelName": "gpt-4o-mini", "jsonDetails": "[]"}  # fmt: skip
    write_batch(source(tmp_path) / "scores", 0, [score])
    (label,) = read_neuronpedia(tmp_path)
    assert (label.author, label.type_name) == ("neuronpedia:gpt-4o-mini", "oai_token-act-pair")
    assert label.source == "explanations/batch-0.jsonl.gz"
    (claim,) = label.claimed
    assert (claim.name, claim.reader, claim.value) == ("eleuther_fuzz", "gpt-4o-mini", 0.9)


def test_a_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    rows = [explanation(1, "a"), explanation(1, "a"), explanation(1, "another")]
    write_batch(source(tmp_path) / "explanations", 0, rows, gz=False)
    write_batch(source(tmp_path) / "explanations", 0, rows, gz=True)  # the same batch, compressed beside
    assert [one.text for one in read_neuronpedia(tmp_path)] == ["a", "another"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "line 2"),
        ('{"index": "1"}', "description"),
        ('{"index": "one", "description": "x"}', "index"),
        ('{"index": "-1", "description": "x"}', "index"),
        ('{"index": "1.5", "description": "x"}', "index"),
        ('{"index": "1", "description": null}', "description"),
        ("[1, 2]", "line 2"),
        ('{"modelId": "llama", "layer": "6-res-jb", "index": "1", "description": "x"}', "llama/6-res-jb"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_imported(line: str, said: str, tmp_path: Path) -> None:
    path = write_batch(source(tmp_path) / "explanations", 0, [explanation(0, "a"), line], gz=False)
    with pytest.raises(ImportedFileError) as raised:
        read_labels(ImportKind.NEURONPEDIA, tmp_path, n_features=10)
    assert said in str(raised.value)
    assert f"{str(path)!r}, line 2" in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_score_that_is_no_number_is_named(tmp_path: Path) -> None:
    write_batch(source(tmp_path) / "explanations", 0, [explanation(0, "a")])
    row = '{"explanationId": "c", "value": NaN, "explanationScoreTypeName": "eleuther_fuzz"}'
    write_batch(source(tmp_path) / "scores", 0, [row])
    with pytest.raises(ImportedFileError, match=r"scores/batch-0.jsonl.gz', line 1: value"):
        labels(tmp_path)


@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_a_cut_compressed_file_is_named(keep: float, tmp_path: Path) -> None:
    path = write_batch(
        source(tmp_path) / "explanations", 0, [explanation(i, f"label {i} " * 9) for i in range(99)]
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ImportedFileError, match=r"batch-0.jsonl.gz' is damaged after line \d+"):
        read_labels(ImportKind.NEURONPEDIA, tmp_path, n_features=100)


def test_a_file_that_is_not_compressed_or_altered_is_named(tmp_path: Path) -> None:
    path = write_batch(source(tmp_path) / "explanations", 0, [explanation(0, "a")])
    path.write_bytes(gzip.decompress(path.read_bytes()))
    with pytest.raises(ImportedFileError, match="is damaged"):
        labels(tmp_path)
    content = bytearray(gzip.compress(b'{"index": "0", "description": "the sea at night"}\n'))
    content[-5] ^= 0xFF  # the length at the end no longer fits
    path.write_bytes(bytes(content))
    with pytest.raises(ImportedFileError, match="is damaged"):
        labels(tmp_path)


def test_several_sources_must_be_chosen_from(tmp_path: Path) -> None:
    write_batch(source(tmp_path) / "explanations", 0, [explanation(0, "a")])
    other = tmp_path / "v1" / "gpt2-small" / "7-res-jb"
    write_batch(other / "explanations", 0, [explanation(0, "b", layer="7-res-jb")])
    with pytest.raises(UserError, match=r"'gpt2-small/6-res-jb', 'gpt2-small/7-res-jb'.*--source"):
        labels(tmp_path)
    assert labels(tmp_path, "7-res-jb") == labels(tmp_path, "gpt2-small/7-res-jb") == {0: "b"}
    with pytest.raises(UserError, match="none of the sources"):
        labels(tmp_path, "8-res-jb")


def test_labels_of_a_wider_dictionary_are_refused(tmp_path: Path) -> None:
    write_batch(source(tmp_path) / "explanations", 0, [explanation(0, "a"), explanation(24575, "b")])
    with pytest.raises(GlossatorError, match="24575, and the dictionary has 4096 features"):
        read_labels(ImportKind.NEURONPEDIA, tmp_path, n_features=4096)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_nothing_to_import_is_said(folder: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"explanations|no folder"):
        labels(tmp_path / folder)


@pytest.mark.parametrize(
    ("theirs", "ours", "same"),
    [
        (("gpt2-small", "6-res-jb"), ("gpt2-small", "6-resid-24k"), True),
        (("openai/GPT2_small", "6-res-jb"), ("gpt2-small", "6-resid-24k"), True),
        ((None, "6-res-jb"), ("gpt2-small", "6-resid-24k"), True),
        ((None, None), ("gpt2-small", "6-resid-24k"), True),
        (("gpt2-small", "res-jb"), ("gpt2-small", "6-resid-24k"), True),
        (("gpt2-small", "7-res-jb"), ("gpt2-small", "6-resid-24k"), False),
        (("gpt2-small", "16-res-jb"), ("gpt2-small", "6-resid-24k"), False),
        (("pythia-70m", "6-res-jb"), ("gpt2-small", "6-resid-24k"), False),
        (("pythia-70m", None), ("gpt2-small", "6-resid-24k"), False),
    ],
)
def test_labels_of_another_model_or_layer_are_named(
    theirs: tuple[str | None, str | None], ours: tuple[str, str], same: bool, tmp_path: Path
) -> None:
    row = explanation(0, "a", modelId=theirs[0], layer=theirs[1])
    write_batch(source(tmp_path) / "explanations", 0, [row])
    said = other_names(list(read_neuronpedia(tmp_path)), FeatureNames(*ours))
    assert (said is None) is same
    if said is not None:
        assert repr("/".join(t for t in theirs if t)) in said
        assert "'gpt2-small/6-resid-24k'" in said
