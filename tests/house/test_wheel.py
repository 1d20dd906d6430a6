"""A wheel built from the checkout installs and runs outside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout's tracked files, unpacked into a folder of its own."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    shutil.copytree(
        ROOT,
        source,
        symlinks=True,
        ignore=shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "__pycache__"),
    )
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(work),
        str(source),
        cwd=work,
    )
    (wheel,) = work.glob("*.whl")
    target = work / "site"
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
        cwd=work,
    )
    return target


@pytest.mark.slow
def test_wheel_holds_the_four_rooms_and_the_assets(installed: Path) -> None:
    for room in ("agents", "probes", "memory", "prompts", "records"):
        assert (installed / "glossator" / room / "__init__.py").is_file()
        assert not (installed / room).exists(), "a room was installed under a name of its own"
    assets = installed / "glossator" / "assets"
    assert (assets / "starter_corpus.jsonl.xz").stat().st_size > 1_000_000
    assert (assets / "starter_sae" / "sae_weights.safetensors").stat().st_size < 16_000_000
    assert list((installed / "glossator" / "report").glob("*.jinja"))
    prompts = {p.name for p in (installed / "glossator" / "prompts").glob("*.md")}
    assert {p.name for p in (ROOT / "prompts").glob("*.md")} == prompts


@pytest.mark.slow
def test_wheel_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(
        sys.executable,
        "-c",
        "import glossator; print(glossator.__file__)",
        cwd=tmp_path,
        PYTHONPATH=str(installed),
    )
    assert Path(where.strip()).is_relative_to(installed)
    help_text = run(sys.executable, "-m", "glossator", "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    assert "label" in help_text
    imports = (
        "import glossator.agents, glossator.probes.site_hooks, glossator.memory.ledger, glossator.report.page"
    )
    run(sys.executable, "-c", imports, cwd=tmp_path, PYTHONPATH=str(installed))


@pytest.mark.slow
def test_wheel_names_no_tests(installed: Path) -> None:
    (info,) = installed.glob("glossator-*.dist-info")
    with zipfile.ZipFile(next(installed.parent.glob("*.whl"))) as archive:
        assert not [n for n in archive.namelist() if n.startswith(("tests", "benchmarks", "scripts"))]
    assert (info / "entry_points.txt").read_text().strip().endswith("glossator = glossator.cli:main")
