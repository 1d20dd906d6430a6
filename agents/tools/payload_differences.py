"""Two measurements of the same thing, compared number by number.

Floats may differ by a thousandth: subjects run in bf16, and sums come in another order on another machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

RELATIVE, ABSOLUTE = 1e-3, 1e-4
MOST = 12
"""Differences that are told; the rest is counted."""
_LONGEST = 80


def payload_differences(
    recorded: object, fresh: object, *, but: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """What differs, in words such as `rows 3 share: 0.31, now 0.28`; empty where nothing does.

    Args:
        recorded: as it was stored.
        fresh: as it was measured now.
        but: names of entries that may differ.
    """
    found = _differences(recorded, fresh, "", but)
    more = len(found) - MOST
    return (*found[:MOST], f"and {more} more") if more > 0 else tuple(found)


def _differences(recorded: object, fresh: object, where: str, but: frozenset[str]) -> list[str]:
    if isinstance(recorded, dict) and isinstance(fresh, dict):
        return _in_entries(
            cast("Mapping[str, object]", recorded), cast("Mapping[str, object]", fresh), where, but
        )
    if isinstance(recorded, list) and isinstance(fresh, list):
        return _in_items(cast("Sequence[object]", recorded), cast("Sequence[object]", fresh), where, but)
    if _same(recorded, fresh):
        return []
    return [f"{where or 'the result'}: {_short(recorded)}, now {_short(fresh)}"]


def _in_entries(
    recorded: Mapping[str, object], fresh: Mapping[str, object], where: str, but: frozenset[str]
) -> list[str]:
    found: list[str] = []
    for key in dict.fromkeys([*recorded, *fresh]):
        if key in but:
            continue
        at = f"{where} {key}".strip()
        if key not in fresh:
            found.append(f"{at}: was {_short(recorded[key])}, is missing now")
        elif key not in recorded:
            found.append(f"{at}: was not there, is {_short(fresh[key])} now")
        else:
            found += _differences(recorded[key], fresh[key], at, but)
    return found


def _in_items(
    recorded: Sequence[object], fresh: Sequence[object], where: str, but: frozenset[str]
) -> list[str]:
    found = [
        line
        for number, (old, new) in enumerate(zip(recorded, fresh, strict=False), 1)
        for line in _differences(old, new, f"{where} {number}".strip(), but)
    ]
    if len(recorded) != len(fresh):
        found.insert(0, f"{where or 'the result'}: {len(recorded)} entries, now {len(fresh)}")
    return found


def _same(recorded: object, fresh: object) -> bool:
    if isinstance(recorded, bool) or isinstance(fresh, bool):
        return recorded is fresh
    if isinstance(recorded, float) or isinstance(fresh, float):
        if not (isinstance(recorded, int | float) and isinstance(fresh, int | float)):
            return False
        return math.isclose(recorded, fresh, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return recorded == fresh


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    text = value if isinstance(value, str) else repr(value)
    return repr(text[:_LONGEST]) if isinstance(value, str) else text[:_LONGEST]
