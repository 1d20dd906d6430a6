"""The time of `--until`: `07:00`, `2026-11-29T07:00` or `+8h`, with the offset of this machine."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from glossator.errors import SettingsError

FORM = "such as 07:00 (the next time the clock says so), 2026-11-29T07:00, or +8h"
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_SPAN = re.compile(r"\+(\d+(?:\.\d+)?)\s*(h|min|s|d)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def parse_until(text: str, now: datetime | None = None, zone: tzinfo | None = None) -> str:
    """The moment that `text` names, ISO 8601 with its offset from UTC.

    Args:
        text: what was given.
        now: what the clock on the wall says, without a zone; this machine's where None.
        zone: where that clock hangs; this machine's where None.

    Raises:
        SettingsError: it cannot be read, is over, or lies where no calendar reaches.

    """
    wall = now or datetime.now()
    try:
        moment = _moment(text.strip(), wall, zone)
    except (OverflowError, ValueError, OSError):  # beside the first or the last year that a date can have
        moment = None
    if moment is None:
        raise SettingsError(f"--until {text!r} cannot be read: write a time {FORM}")
    if moment <= _aware(wall, zone):
        raise SettingsError(f"--until {text!r} is over: it is {wall:%Y-%m-%dT%H:%M}; write a time {FORM}")
    return moment.isoformat(timespec="seconds")


def _moment(text: str, wall: datetime, zone: tzinfo | None) -> datetime | None:
    if span := _SPAN.fullmatch(text):
        return _aware(wall, zone) + timedelta(seconds=float(span[1]) * _SECONDS[span[2]])
    if clock := _CLOCK.fullmatch(text):
        return _next(int(clock[1]), int(clock[2]), wall, zone)
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _aware(given, zone) if given.tzinfo is None else given


def _next(hour: int, minute: int, wall: datetime, zone: tzinfo | None) -> datetime | None:
    if hour > 23 or minute > 59:
        return None
    today = wall.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return _aware(today if today > wall else today + timedelta(days=1), zone)


def _aware(wall: datetime, zone: tzinfo | None) -> datetime:
    """With the offset of that day, which summer time may have changed by then."""
    return wall.astimezone() if zone is None else wall.replace(tzinfo=zone)
