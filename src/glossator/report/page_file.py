"""What every page needs: the templates' environment, and a file that is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from glossator.errors import StorageError
from glossator.report.token_marks import safe_text
from glossator.report.wording import count, reasons_words, usd_words


@cache
def environment() -> Environment:
    """Templates of this folder; everything is escaped, and an unknown name is an error."""
    found = Environment(
        loader=PackageLoader("glossator", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["safe_text"] = safe_text
    found.filters["count"] = count
    found.filters["usd"] = usd_words
    found.filters["reasons"] = reasons_words
    return found


def write_page(path: Path, page: str) -> Path:
    """Write `page` to `path`, whole or not at all, and give `path` back.

    Raises:
        StorageError: If the folder cannot be made or the file cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, page.encode())
    except OSError as exc:
        raise StorageError(
            f"could not write the report to {str(path)!r}: {exc.strerror or exc};"
            " free space or name another folder"
        ) from exc
    return path


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, then rename over it."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
