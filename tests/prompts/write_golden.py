"""Writes the golden files anew: `python -m tests.prompts.write_golden`. Read the difference first."""

from __future__ import annotations

from pathlib import Path

from glossator.prompts.prompt_file import load_prompt
from tests.prompts.fenced_samples import SAMPLES, shown

if __name__ == "__main__":
    for name, values in SAMPLES.items():
        path = Path(__file__).parent / "golden" / f"{name}.txt"
        path.write_text(shown(load_prompt(name).render(**values)), encoding="utf-8")
