"""`--until`: the next such time, with the offset of that day."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from glossator.errors import SettingsError
from glossator.run_until import parse_until

BERLIN = ZoneInfo("Europe/Berlin")
FAR = ["+9999999d", "+99999999999999999d", "0001-01-01", "0001-01-01T00:00+05:00"]
EVENING = datetime(2026, 11, 28, 21, 30)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("07:00", "2026-11-29T07:00:00+01:00"),
        ("21:31", "2026-11-28T21:31:00+01:00"),
        ("21:30", "2026-11-29T21:30:00+01:00"),
        ("+8h", "2026-11-29T05:30:00+01:00"),
        ("+90min", "2026-11-28T23:00:00+01:00"),
        ("2026-11-29T07:00", "2026-11-29T07:00:00+01:00"),
        ("2026-11-29T07:00+00:00", "2026-11-29T07:00:00+00:00"),
    ],
)
def test_a_time_is_the_next_such(text: str, meant: str) -> None:
    assert parse_until(text, EVENING, BERLIN) == meant


def test_a_night_in_which_the_clock_is_set_has_the_mornings_offset() -> None:
    before = datetime(2026, 10, 24, 22, 0)
    assert parse_until("07:00", before, BERLIN) == "2026-10-25T07:00:00+01:00"
    assert parse_until("23:00", before, BERLIN) == "2026-10-24T23:00:00+02:00"


@pytest.mark.parametrize(
    "text", ["", "7", "24:00", "07:60", "tomorrow", "+8", "8h", "2026-11-27T07:00", *FAR]
)
def test_what_is_no_time_or_over_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="such as 07:00"):
        parse_until(text, EVENING, BERLIN)


@pytest.mark.parametrize("text", FAR)
def test_what_no_calendar_reaches_is_refused_by_this_machines_clock_too(text: str) -> None:
    with pytest.raises(SettingsError, match="such as 07:00"):
        parse_until(text)
