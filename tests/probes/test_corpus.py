from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
from pathlib import Path

import pytest

from glossator.errors import CorpusError, MissingExtraError
from glossator.probes.corpus import Corpus, iter_documents

ODD = "nul \x00 here, שלום עולם, 👩‍👩‍👧 family, é as e\u0301, <b>&amp;</b> <|endoftext|>\r\n"


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_json_lines_plain_and_compressed(tmp_path: Path) -> None:
    raw = lines({"text": "one", "id": "a", "title": "A", "genre": "news"}, {"text": "two"}) + b"\n"
    for name, packed in {
        "c.jsonl": raw,
        "c.jsonl.gz": gzip.compress(raw),
        "c.jsonl.xz": lzma.compress(raw),
        "c.jsonl.bz2": bz2.compress(raw),
    }.items():
        (tmp_path / name).write_bytes(packed)
        documents = list(iter_documents(tmp_path / name))
        assert [d.text for d in documents] == ["one", "two"]
        assert documents[0][:3] == ("a", "A", "news")
        assert documents[1].id == f"{name}:2"


def test_odd_text_is_kept_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(ODD.encode())
    assert [d.text for d in iter_documents(tmp_path / "odd.txt")] == [ODD]
    (tmp_path / "odd.jsonl").write_bytes(lines({"text": ODD}))
    assert [d.text for d in Corpus(tmp_path / "odd.jsonl")] == [ODD]


def test_lone_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"text": "a\\ud800b \\ud83d\\ude00"}\n')
    assert [d.text for d in iter_documents(tmp_path / "s.jsonl")] == ["a\ufffdb 😀"]


def test_single_file_is_cut_at_paragraphs_and_nothing_is_lost(tmp_path: Path) -> None:
    text = "\n\n".join(f"Paragraph {i}. " + "word " * (i % 90) for i in range(3000))
    path = tmp_path / "big.txt"
    path.write_text(text)
    documents = list(iter_documents(path))
    assert "".join(d.text for d in documents) == text
    assert 40 <= len(documents) <= 60
    assert all(d.text.startswith("Paragraph") for d in documents)
    assert len({d.id for d in documents}) == len(documents)


def test_text_without_any_border_is_cut_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "solid.txt"
    path.write_text("x" * 100_000)
    documents = list(iter_documents(path))
    assert sum(len(d.text) for d in documents) == 100_000
    assert max(len(d.text) for d in documents) <= 3000


def test_folder_leaves_out_hidden_and_binary_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("print(1)")
    (tmp_path / "a.txt").write_text("\ufeffhello", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("hidden")
    (tmp_path / "image.png").write_bytes(bytes(range(256)) * 20)
    assert [(d.id, d.genre, d.text) for d in iter_documents(tmp_path)] == [
        ("a.txt", "text", "hello"),
        ("sub/b.py", "py", "print(1)"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.txt", b" \n\t\n", "empty"),
        ("empty.jsonl", b"\n", "empty"),
        ("image.png", bytes(range(256)) * 20, "binary"),
        ("latin.txt", "first\nna\xefve".encode("latin-1"), "byte 0xEF in line 2, column 3"),
        ("wide.txt", "hello".encode("utf-16"), "UTF-16"),
        ("bad.jsonl", b'{"text": "a"}\n{"text": \n', "line 2"),
        ("list.jsonl", b"[1]\n", "'list'"),
        ("nofield.jsonl", b'{"body": "a"}\n', "body"),
        ("number.jsonl", b'{"text": 3}\n', "string"),
        ("cut.jsonl.xz", lzma.compress(lines({"text": "a" * 999}))[:-20], "cut short"),
        ("cut.jsonl.gz", gzip.compress(lines({"text": "a" * 999}), mtime=0)[:-20], "cut short"),
        ("plain.jsonl.gz", lines({"text": "a"}), "damaged"),
    ],
)
def test_bad_corpora_say_what_was_found(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=message) as caught:
        list(iter_documents(tmp_path / name))
    assert name in str(caught.value)


def test_missing_corpus_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no corpus at"):
        iter_documents(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="no text file"):
        list(iter_documents(tmp_path))


def test_saved_data_set(tmp_path: Path) -> None:
    import datasets

    data = datasets.Dataset.from_dict({"content": ["one", "", "two"], "genre": ["x", "x", "y"]})
    data.save_to_disk(str(tmp_path / "saved"))
    documents = list(iter_documents(tmp_path / "saved"))
    assert [(d.id, d.genre, d.text) for d in documents] == [("saved:0", "x", "one"), ("saved:2", "y", "two")]


def test_named_local_data_set_with_split_and_field(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.jsonl").write_bytes(lines({"body": "one"}, {"body": "two"}))
    spec = f"hf:{tmp_path / 'data'}:test:body"
    assert [d.text for d in iter_documents(spec)] == ["one", "two"]
    with pytest.raises(CorpusError, match="'body'"):
        list(iter_documents(f"hf:{tmp_path / 'data'}:test"))


def test_missing_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"glossator\[datasets\]"):
        list(iter_documents("hf:some/thing"))
