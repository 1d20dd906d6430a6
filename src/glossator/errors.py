"""Every error that Glossator raises on purpose, in one tree.

    GlossatorError                 exit code 1 unless a subclass says otherwise
    ├── UserError                  exit code 2: the person must change something
    │   ├── SettingsError          a setting, flag or file of settings is wrong
    │   ├── UnknownNameError       a feature, site, model, dictionary or corpus that does not exist
    │   ├── ShapeMismatchError     two things that do not fit: widths, sites, sizes
    │   ├── CorpusError            a corpus that is empty, binary, unreadable or too small
    │   ├── ImportedFileError      a file of others that is damaged, or not what it should be
    │   ├── IndexMismatchError     an index that answers another question than the one asked
    │   ├── ModelAccessError       a wrong key, an unknown model, a provider that is not there
    │   ├── BudgetError            a budget that is malformed, or too small for one feature
    │   └── MissingExtraError      an optional dependency is not installed
    ├── StorageError               exit code 3: what is stored cannot be read or written
    │   ├── CorruptFileError       a file is not what its manifest or checksum says
    │   ├── BusyError              another process holds the lock
    │   └── LeaseLost              a worker was taken for lost: what it does no longer counts
    ├── AssetError                 exit code 4: a starter asset could not be fetched or verified
    ├── EndpointError              exit code 5: a model's endpoint does not answer, after trying again
    ├── ClusterError               exit code 5: the machines that were to do the work are gone
    ├── BudgetSpent                exit code 1: no call is made that could exceed the budget
    ├── ToolError                  a tool cannot do what it was called for; whoever called it adapts
    └── ProbeError                 exit code 1: the subject or the dictionary failed while measuring

A message gives the value, what was allowed and the next step. The command line prints it without a
traceback. Foreign exceptions are translated where they are caught, `raise … from exc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class GlossatorError(Exception):
    """Anything that Glossator raises on purpose."""

    exit_code = 1


class UserError(GlossatorError):
    """The person must change something: an argument, a file, a setting."""

    exit_code = 2


class SettingsError(UserError):
    """A setting is unknown, malformed or out of range."""


class UnknownNameError(UserError):
    """A feature, site, subject, dictionary or corpus that does not exist."""


class ShapeMismatchError(UserError):
    """Two things that do not fit each other, both named in the message."""


class CorpusError(UserError):
    """A corpus that is empty, binary, unreadable or too small."""


class ImportedFileError(UserError):
    """A file of others that is damaged, or that is not what its place says; names file and line."""


class IndexMismatchError(UserError):
    """An index that was built from something else than what is asked for."""


class ModelAccessError(UserError):
    """A model cannot be used as it is set: wrong key, unknown model, unknown provider."""


class BudgetError(UserError):
    """A budget that cannot be read, or that is too small for a single feature."""


class MissingExtraError(UserError):
    """An optional dependency is needed and not installed."""

    @classmethod
    def for_extra(cls, extra: str, why: str) -> MissingExtraError:
        """The error for a missing `extra`, saying what it is needed for and how to get it."""
        return cls(
            f"{why} needs the extra {extra!r}, which is not installed: pip install 'glossator[{extra}]'"
        )


class StorageError(GlossatorError):
    """What is stored cannot be read or written."""

    exit_code = 3


class CorruptFileError(StorageError):
    """A stored file is truncated, altered or not what its manifest says."""


class BusyError(StorageError):
    """Another process holds what this one needs."""


class LeaseLost(StorageError):
    """A worker of a labelling run did not say in time that it lives, and others have taken over."""


class AssetError(GlossatorError):
    """A starter asset could not be fetched, or is not what its checksum says."""

    exit_code = 4


class EndpointError(GlossatorError):
    """A model's endpoint does not answer, after trying again."""

    exit_code = 5


class ClusterError(GlossatorError):
    """The machines that were to do the work are gone, or failed at it."""

    exit_code = 5


class BudgetSpent(GlossatorError):
    """The next call could exceed the budget, so it was not made."""


class ToolError(GlossatorError):
    """A tool cannot do what it was called for: the message goes back to the planner, which adapts."""


class ProbeError(GlossatorError):
    """The subject or the dictionary failed while measuring."""


def listed(names: Iterable[object], limit: int = 12) -> str:
    """`names` for a message: sorted, quoted, and cut with a count after `limit`."""
    ordered = sorted(str(n) for n in names)
    shown = ", ".join(repr(n) for n in ordered[:limit])
    return shown if len(ordered) <= limit else f"{shown} and {len(ordered) - limit} more"


_USER = re.compile(r"//(?P<user>(?:(?!,\s*https?://)[^/?#@\s:])*)(?P<password>:(?:(?!,\s*https?://)\S)*)?@")
_SECRET_FIELD = re.compile(
    r"(?i)(?P<field>[?&][^=&\s]*(?:key|token|secret|passw|pwd|signature)[^=&\s]*=)[^&\s,#'\"]+"
)


def without_credentials(text: str, *, marked: bool = False) -> str:
    """`text` without users, passwords and keys in its URLs; with `***` in the place of them if `marked`.

    A password is taken to reach to the last `@`, whatever stands in it: rather too much is hidden.
    """

    def hidden(found: re.Match[str]) -> str:
        if not marked:
            return "//"
        return f"//{found['user']}:***@" if found["password"] else "//***@"

    return _SECRET_FIELD.sub(r"\g<field>***", _USER.sub(hidden, text))
