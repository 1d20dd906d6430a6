"""The house rules that a reader cannot see at a glance, checked over the source tree."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agents", "probes", "memory", "prompts")
GROUND = {"errors", "records"}
MAY_IMPORT = {
    "agents": {"agents", "probes", "memory", "prompts"} | GROUND,
    "probes": {"probes"} | GROUND,
    "memory": {"memory"} | GROUND,
    "prompts": {"prompts"} | GROUND,
    "records": GROUND,
    "errors": GROUND,
}
BANNED_NAMES = {"utils", "common", "helpers", "util", "misc"}


def python_files() -> list[Path]:
    roots = [*ROOMS, "tests", "benchmarks", "scripts", "src/glossator"]
    files = [p for r in roots for p in (ROOT / r).rglob("*.py")]
    return [p for p in files if not any(parent.is_symlink() for parent in p.parents)]


def imported_rooms(path: Path) -> set[str]:
    """Second parts of every `glossator.X…` that the file imports, wherever the import stands."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: relative import"
            names = (
                [node.module] if node.module != "glossator" else [f"glossator.{a.name}" for a in node.names]
            )
        else:
            continue
        rooms |= {n.split(".")[1] for n in names if n.startswith("glossator.")}
    return rooms


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if parts[0] in ROOMS else parts[2].removesuffix(".py")


def test_imports_run_one_way() -> None:
    for path in python_files():
        if path.relative_to(ROOT).parts[0] in ("tests", "benchmarks", "scripts"):
            continue
        room = room_of(path)
        if room in MAY_IMPORT:
            assert imported_rooms(path) <= MAY_IMPORT[room], f"{path} imports {imported_rooms(path)}"


def test_the_rule_sees_a_violation(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from glossator.memory import ledger\n    from glossator import agents\n")
    assert imported_rooms(bad) == {"memory", "agents"}


def test_rooms_are_small_and_well_named() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in python_files()}
    too_long = {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 400}
    assert not too_long, too_long
    assert statistics.median(lengths.values()) < 150
    assert not [p for p in lengths if p.stem in BANNED_NAMES]


def test_the_package_is_this_checkout() -> None:
    import glossator.probes

    assert Path(glossator.__file__).resolve().is_relative_to(ROOT)
    assert Path(glossator.probes.__file__ or "").resolve() == ROOT / "probes" / "__init__.py"


def test_no_conftest_at_the_root() -> None:
    assert not (ROOT / "conftest.py").exists()
