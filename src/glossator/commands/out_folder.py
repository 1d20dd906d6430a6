"""Folders that a command is to write to, looked at before hours of work would have nowhere to go."""

from __future__ import annotations

import os
from pathlib import Path

from glossator.errors import StorageError, UserError


def out_folder(folder: Path | None) -> Path | None:
    """`folder` as it is: for a flag's `callback`.

    Raises:
        UserError: it is a file, or lies below one.
        StorageError: nothing may be written there.
    """
    if folder is None:
        return None
    place = folder.expanduser().absolute()
    standing = next(p for p in (place, *place.parents) if os.path.lexists(p))
    if not standing.is_dir():
        raise UserError(f"{str(standing)!r} is a file: give a folder with --out")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise StorageError(f"{str(standing)!r} may not be written to: give another folder with --out")
    return folder
