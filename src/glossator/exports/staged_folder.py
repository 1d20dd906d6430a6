"""A folder that is there as a whole or not at all, and that replaces nothing but an older one like it.

It is written beside its place under another name, flushed, and moved there in one step.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path

from glossator.errors import UserError
from glossator.probes.atomic_file import unwritable

MARK = "glossator_export.json"
"""The file that says that a folder is an export of ours, and what is in it."""


@contextlib.contextmanager
def staged_folder(folder: Path) -> Generator[Path]:
    """A new folder to write into; it stands at `folder` once the block ends without an error.

    Raises:
        UserError: `folder` holds something that is no export of ours; nothing is touched.
        StorageError: it cannot be written.
    """
    folder = folder.expanduser().absolute()
    _refuse_foreign(folder)
    staged, old = (folder.with_name(folder.name + end) for end in (".new", ".old"))
    try:
        for left in (staged, old):
            _remove(left)
        staged.mkdir(parents=True)
        yield staged
        if hasattr(os, "sync"):
            os.sync()  # once for all files: one by one would take a millisecond each
        if folder.exists():
            folder.replace(old)
        staged.replace(folder)
        _remove(old)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            _remove(staged)


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{str(folder)!r} is a file: give a folder with --out")
    if any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UserError(
            f"{str(folder)!r} holds files that are no export of Glossator, and they would be mixed with it: "
            "give an empty folder, or one that does not exist, with --out"
        )


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
