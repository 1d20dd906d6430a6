"""Only scorers open the sealed split; everyone else takes the views that explainers may see."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEAL = "glossator.probes.sealed_split"
MAY_OPEN = ROOT / "agents" / "scorers"
DEFINES = {
    ROOT / "probes" / "sealed_split.py",
    ROOT / "probes" / "split_view.py",
    ROOT / "probes" / "activation_index" / "reader.py",
}


def product_files() -> list[Path]:
    roots = [ROOT / r for r in ("agents", "probes", "memory", "prompts")]
    shell = [p for p in (ROOT / "src" / "glossator").iterdir() if not p.is_symlink()]
    files = [f for root in [*roots, *shell] for f in ([root] if root.is_file() else root.rglob("*.py"))]
    return [f for f in files if f.suffix == ".py"]


def breaches(source: str) -> list[str]:
    """Ways in which a module gets at the sealed split: importing the opener, or making the view itself."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith(SEAL)]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            found += [n for n in names if n == SEAL or n.startswith(SEAL + ".")]
        elif isinstance(node, ast.Name) and node.id == "open_sealed":
            found.append("open_sealed")
        elif isinstance(node, ast.Call):
            called = node.func
            name = (
                called.id
                if isinstance(called, ast.Name)
                else called.attr
                if isinstance(called, ast.Attribute)
                else ""
            )
            found += [name] if name in ("SealedView", "open_sealed") else []
        elif isinstance(node, ast.Attribute) and node.attr in ("_source", "sealed", "sealed_pool"):
            found.append(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SEAL in node.value.split():
            found.append("its name in a string")
    return found


def test_only_scorers_open_the_seal() -> None:
    files = product_files()
    assert len(files) > 10
    for path in files:
        if path not in DEFINES and not path.is_relative_to(MAY_OPEN):
            assert not breaches(path.read_text(encoding="utf-8")), path


def test_the_rule_sees_every_way_in() -> None:
    for source in (
        "from glossator.probes.sealed_split import open_sealed",
        "def f():\n    import glossator.probes.sealed_split as s",
        "from glossator.probes import sealed_split",
        "from glossator.probes.split_view import SealedView\nview = SealedView(index)",
        "import glossator.probes.split_view as v\nview = v.SealedView(index)",
        "def f(index, split):\n    return index._source(split)",
        "def f(room):\n    return room.sealed.text",
        "importlib.import_module('glossator.probes.sealed_split')",
    ):
        assert breaches(source), source
    assert not breaches("from glossator.probes.split_view import ExploreView\nExploreView(index)")
