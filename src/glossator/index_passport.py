"""Passports: which index folder answers for these settings, found without loading a model.

A passport is filed under a key made from the settings and from the files that they name: what they
hold where that is quickly read, else their sizes and times. While nothing has changed, the key leads
to the index at once; where something has, the index is looked up by content again. Passports can be
thrown away at any time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from glossator.probes.atomic_file import unwritable, written_atomically
from glossator.records import Record, content_id
from glossator.settings import Settings
from glossator.starter_assets import STARTER_SUBJECT, starter_corpus_path, starter_dictionary_path

_QUICKLY_READ = 64_000_000
"""Bytes that are hashed within about a tenth of a second."""


class IndexPassport(Record):
    """What is known of an index without opening it."""

    folder: str
    """Name of the index's folder under `indexes`."""
    subject: str
    """The subject's short name."""
    dictionary: str
    """The dictionary's short name."""
    n_features: int
    """Features of the dictionary."""


def passport_key(settings: Settings) -> str:
    """The key of the index that `settings` ask for."""
    starter_subject = f"{STARTER_SUBJECT.wheel.requirement} {STARTER_SUBJECT.wheel.sha256}"
    stamps: dict[str, object] = {
        "subject": starter_subject if settings.subject == "starter" else source_stamp(settings.subject),
        "dictionary": source_stamp(_or_starter(settings.dictionary, starter_dictionary_path)),
        "corpus": source_stamp(_or_starter(settings.corpus, starter_corpus_path)),
    }
    sizes: list[object] = [settings.tokens, settings.context, settings.dtype, settings.site]
    return content_id("p", {**stamps, "sizes": sizes}, length=24)


def source_stamp(spec: str) -> str:
    """What the files that `spec` names hold, or `spec` itself if it names none.

    Up to 64 MB they are read, so that a moved or newly installed copy is known for the same; larger ones
    are told apart by path, size and time.
    """
    path = Path(spec).expanduser()
    if not path.exists():
        return spec
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    facts: list[object] = []
    if sum(file.stat().st_size for file in files) <= _QUICKLY_READ:
        for file in files:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            facts.append([file.relative_to(path).as_posix(), digest])
        return content_id("files", facts)
    for file in files:
        found = file.stat()
        facts.append([file.relative_to(path).as_posix(), found.st_size, found.st_mtime_ns])
    return content_id(str(path.absolute()), facts)


def read_passport(folder: Path, key: str) -> IndexPassport | None:
    """The passport filed under `key`; None if there is none that can be read."""
    try:
        return IndexPassport.model_validate_json((folder / f"{key}.json").read_bytes())
    except (OSError, ValidationError):
        return None


def write_passport(folder: Path, key: str, passport: IndexPassport) -> None:
    """File `passport` under `key`; raises `StorageError` if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    with written_atomically(folder / f"{key}.json") as file:
        file.write(passport.model_dump_json().encode())


def _or_starter(spec: str, starter: object) -> str:
    return str(starter()) if spec == "starter" and callable(starter) else spec
