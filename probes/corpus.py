"""Corpora: where texts come from, one document at a time.

A *spec* names a corpus:

- a text file, which is cut at paragraph borders into documents (`probes.corpus_files`), because
  splits are by document and one file has to fill all three;
- a folder of text or code files, one document each;
- a file of JSON lines, plain or compressed (`.jsonl`, `.jsonl.gz`, `.jsonl.xz`, `.jsonl.bz2`), with a
  field `text` and optionally `id`, `title` and `genre`;
- a folder written by `datasets.save_to_disk`, or `hf:NAME[@CONFIG][:SPLIT[:FIELD]]` for a data set of
  the Hugging Face hub or a folder that `datasets.load_dataset` reads (extra `datasets`).

Nothing is held in memory but the document at hand. Texts are kept as they are, NUL and markup
included; only lone surrogates, which no tokenizer can take, become U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glossator.errors import CorpusError
from glossator.probes import corpus_datasets, corpus_files, corpus_json_lines
from glossator.probes.corpus_document import Document

__all__ = ["Corpus", "Document", "iter_documents"]

JSON_LINES = (".jsonl", ".jsonl.gz", ".jsonl.xz", ".jsonl.bz2")
SPECS = (
    "a text file, a folder of text files, a .jsonl(.gz|.xz|.bz2) file, a datasets folder, "
    "or hf:NAME[@CONFIG][:SPLIT[:FIELD]]"
)


@dataclass(frozen=True)
class Corpus:
    """A corpus that can be read as often as needed: what `build_index` takes."""

    spec: str | Path
    """What `iter_documents` understands."""

    def __iter__(self) -> Iterator[Document]:
        return iter_documents(self.spec)


def iter_documents(spec: str | Path) -> Iterator[Document]:
    """Documents of the corpus that `spec` names, in a fixed order, one at a time.

    Raises:
        CorpusError: there is no such corpus, or it is empty, binary, not UTF-8 or malformed; says where.
        MissingExtraError: a data set is asked for and `datasets` is not installed.
    """
    text = str(spec)
    if text.startswith("hf:"):
        documents = corpus_datasets.read_named(text)
    else:
        path = Path(spec).expanduser()
        if not path.exists():
            raise CorpusError(f"no corpus at {text!r}: a corpus is {SPECS}")
        if path.is_dir():
            reader = (
                corpus_datasets.read_folder if corpus_datasets.is_saved(path) else corpus_files.read_folder
            )
            documents = reader(path)
        elif path.name.lower().endswith(JSON_LINES):
            documents = corpus_json_lines.read(path)
        else:
            documents = corpus_files.read_file(path)
    return _never_empty(documents, text)


def _never_empty(documents: Iterator[Document], spec: str) -> Iterator[Document]:
    found = False
    for document in documents:
        if not document.text.strip():
            continue
        found = True
        yield document._replace(text=without_lone_surrogates(document.text))
    if not found:
        raise CorpusError(
            f"the corpus {spec!r} is empty: it holds no document with any text; a corpus is {SPECS}"
        )


def without_lone_surrogates(text: str) -> str:
    """`text` with lone surrogates (half of a character, from broken JSON) as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
