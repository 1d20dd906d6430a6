"""A folder that is there as a whole or not at all, and that replaces nothing but an older one like it.

It is written beside its place under a name of its own, flushed, and moved there in one step. Only a process
that is killed leaves that name behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
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
    folder = folder.expanduser().resolve()
    try:
        refuse_foreign(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A name that nobody has: what else lies beside `folder` is not ours to remove.
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        staged = work / "new"
        staged.mkdir()
        yield staged
        if hasattr(os, "sync"):
            os.sync()  # once for all files: one by one would take a millisecond each
        _put(staged, folder, work / "old")
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        if folder.exists() or not (work / "old").exists():  # else it holds the only export there is
            shutil.rmtree(work, ignore_errors=True)


def _put(staged: Path, folder: Path, old: Path) -> None:
    """Move `staged` to `folder`; what stands there goes to `old`, and back where that fails."""
    if not folder.exists():
        staged.replace(folder)
        return
    folder.replace(old)
    try:
        staged.replace(folder)
    except BaseException:
        old.replace(folder)
        raise


def refuse_foreign(folder: Path) -> None:
    """Raise `UserError` where an export to `folder` would replace anything but an earlier one."""
    folder = folder.expanduser().resolve()
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{str(folder)!r} is a file: give a folder with --out")
    if folder in (here := Path.cwd(), *here.parents):
        raise UserError(
            f"{str(folder)!r} is where you are, and an export replaces its folder as a whole: give another "
            "with --out"
        )
    if any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UserError(
            f"{str(folder)!r} holds files that are no export of Glossator, and they would be mixed with it: "
            "give an empty folder, or one that does not exist, with --out"
        )
