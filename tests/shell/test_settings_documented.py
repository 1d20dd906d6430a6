"""The page about settings names every setting with its default."""

from __future__ import annotations

from pathlib import Path

from glossator.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = {
        cells[1].strip().strip("`"): cells[2].strip()
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and (cells := line.split("|"))
    }
    assert list(rows) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if field.default_factory is None:
            assert rows[name] == ("none" if field.default is None else f"`{field.default}`"), name
