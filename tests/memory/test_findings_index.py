from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

import glossator
from glossator.errors import BusyError, StorageError
from glossator.memory.finding_store import FindingStore
from glossator.memory.findings_index import FindingsIndex
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    Explanation,
    FeatureCard,
    FeatureNames,
    FeatureRef,
    Finding,
    FindingKind,
    Interval,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Split,
    Verdict,
    VerdictKind,
)


class WordEmbedder:
    """Each word is a point of its own; a text is the sum of its words."""

    def __init__(self, name: str = "words") -> None:
        self.name, self.embedded = name, 0

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        self.embedded += len(texts)
        rows = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.sha256(word.encode()).digest()[0]] += 1.0
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def fingerprint(self) -> str:
        return self.name


LABELS = ["legal language of courts", "the word cat", "numbers in dates", "opening quotation marks"]


def labelled(index: int, text: str | None, dictionary: str = "d") -> FeatureCard:
    ref = FeatureRef(subject="tiny", dictionary=dictionary, index=index)
    scores = tuple(
        Score(
            method=ScoreMethod.DETECTION, metric=Metric.BALANCED_ACCURACY, reader="predicate",
            negatives=negatives, split=Split.SEALED, threshold=0.3, value=value,
            interval=Interval(low=0, high=1, method="wilson"), n_positive=5, n_negative=5,
        )
        for negatives, value in ((Negatives.RANDOM, 0.9), (Negatives.HARD, 0.7))
    )  # fmt: skip
    claim = Explanation.of(ref, "analyst", text, None) if text else None
    verdict = Verdict(kind=VerdictKind.TENTATIVE if text else VerdictKind.ABSTAINED, reason="rule")
    return FeatureCard(
        feature=ref, explanation=claim, verdict=verdict, scores=scores, density=0.1,
        n_firings=1, max_activation=1.0, histogram_edges=(0.5, 1.0), histogram_counts=(1,), promoted=(),
        suppressed=(), windows=(), silent_windows=(), neighbours=(), evidence=(), index_identity="i",
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    run = ledger.start_run("label", {})
    for index, text in enumerate([*LABELS, None]):
        ledger.save_card(run, labelled(index, text))
    return ledger


def found(folder: Path, embedder: WordEmbedder, text: str = "legal language") -> list[int]:
    with FindingsIndex.open(folder, embedder) as findings:
        return [f.feature.index for f in findings.search(text, 2)]


def test_labels_are_found_by_meaning(tmp_path: Path, ledger: Ledger) -> None:
    embedder = WordEmbedder()
    with FindingsIndex.open(tmp_path / "findings", embedder) as findings:
        assert findings.search("legal language") == []
        report = findings.sync(ledger)
        assert (report.added, report.removed, report.begun_anew) == (4, 0, None)
        assert findings.sync(ledger).added == 0
        first = findings.search("legal language", 2)[0]
        assert (first.feature.index, first.text, first.verdict) == (0, LABELS[0], VerdictKind.TENTATIVE)
        assert first.similarity == pytest.approx(2 / np.sqrt(2 * 4), abs=1e-5)
        assert first.detection == 0.7
        assert len(findings.search("cat", 50)) == 4
        assert [f.feature.index for f in findings.search("cat", 3, {"index": 2, "dictionary": "d"})] == [2]
        assert findings.search("cat", 3, {"dictionary": "other"}) == []
    embedder.embedded = 0
    assert found(tmp_path / "findings", embedder)[0] == 0
    assert embedder.embedded == 1  # stored: only the question was embedded


def test_a_new_label_takes_the_place_of_the_old(tmp_path: Path, ledger: Ledger) -> None:
    with FindingsIndex.open(tmp_path / "findings", WordEmbedder()) as findings:
        findings.sync(ledger)
        run = ledger.start_run("label", {})
        ledger.save_card(run, labelled(1, "the word dog"))
        ledger.save_card(run, labelled(2, None))  # abstained this time
        report = findings.sync(ledger)
        assert (report.added, report.removed) == (1, 2)
        assert sorted(f.text for f in findings.search("the", 9)) == sorted(
            [LABELS[0], LABELS[3], "the word dog"]
        )


def damage_truncate(folder: Path) -> None:
    database = next(folder.glob("chroma-*/chroma.sqlite3"))
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


def damage_overwrite(folder: Path) -> None:
    next(folder.glob("chroma-*/chroma.sqlite3")).write_bytes(b"rubbish")


def damage_delete_database(folder: Path) -> None:
    shutil.rmtree(next(folder.glob("chroma-*")))


def damage_delete_all(folder: Path) -> None:
    shutil.rmtree(folder)


def damage_seal(folder: Path) -> None:
    (folder / "seal.json").write_text('{"database": "chro')


def damage_unseal(folder: Path) -> None:
    seal = json.loads((folder / "seal.json").read_text())
    (folder / "seal.json").write_text(json.dumps(seal | {"files": None}))


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_overwrite,
        damage_delete_database,
        damage_delete_all,
        damage_seal,
        damage_unseal,
    ],
)
def test_damage_is_noticed_and_mended(tmp_path: Path, ledger: Ledger, damage: object) -> None:
    folder = tmp_path / "findings"
    with FindingsIndex.open(folder, WordEmbedder()) as findings:
        findings.sync(ledger)
    assert callable(damage)
    damage(folder)
    with FindingsIndex.open(folder, WordEmbedder()) as findings:
        report = findings.sync(ledger)
        assert report.added == 4
        assert (report.begun_anew is None) == (damage is damage_delete_all)
        assert findings.search("legal language", 1)[0].feature.index == 0
    assert len(list(folder.glob("chroma-*"))) == 1
    with FindingsIndex.open(folder, WordEmbedder()) as findings:
        assert findings.sync(ledger) == (0, 0, None)


def test_another_embedder_begins_anew(tmp_path: Path, ledger: Ledger) -> None:
    with FindingsIndex.open(tmp_path / "findings", WordEmbedder()) as findings:
        findings.sync(ledger)
    with FindingsIndex.open(tmp_path / "findings", WordEmbedder("other")) as findings:
        report = findings.sync(ledger)
        assert report.added == 4
        assert "another sentence embedder" in str(report.begun_anew)


def test_rebuild_adds_everything_again(tmp_path: Path, ledger: Ledger) -> None:
    with FindingsIndex.open(tmp_path / "findings", WordEmbedder()) as findings:
        findings.sync(ledger)
        assert findings.rebuild(ledger) == 4
        assert len(findings) == 4


HOLDER = """
import sys, time
from pathlib import Path
from glossator.memory.findings_folder import FindingsFolder
folder = FindingsFolder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "findings"
    source = str(Path(glossator.__file__).parent.parent)
    command = [sys.executable, "-c", HOLDER, str(folder)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": source})
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=r"another process.*chroma_url"):
            FindingsIndex.open(folder, WordEmbedder(), lock_seconds=0.2)
    finally:
        holder.kill()
        holder.wait()
    with FindingsIndex.open(folder, WordEmbedder(), lock_seconds=60.0) as findings:  # a killed holder lets go
        assert len(findings) == 0


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="--home"):
        FindingsIndex.open(tmp_path / "file" / "findings", WordEmbedder())
    with pytest.raises(StorageError, match="does not answer"):
        FindingsIndex.connect("http://127.0.0.1:9", WordEmbedder())


@pytest.mark.slow
def test_a_server_is_used_by_several_at_once(tmp_path: Path, ledger: Ledger) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    command = [
        str(program),
        "run",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--path",
        str(tmp_path / "served"),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        first, second = connected(url), connected(url)
        assert first.sync(ledger).added == 4
        assert second.sync(ledger) == (0, 0, None)
        assert second.search("legal language", 1)[0].feature.index == 0
        first.close()
        assert len(second) == 4
        assert second.rebuild(ledger) == 4
        second.close()
    finally:
        server.kill()
        server.wait()


def connected(url: str) -> FindingsIndex:
    until = time.monotonic() + 200.0
    while True:
        try:
            return FindingsIndex.connect(url, WordEmbedder())
        except StorageError:
            assert time.monotonic() < until, "the server did not come up"
            time.sleep(0.2)


NAMES = FeatureNames("tiny", "d")


def learnt(
    ledger: Ledger, text: str, kind: FindingKind = FindingKind.MEANING, names: FeatureNames = NAMES
) -> Finding:
    source = InvestigationStore(ledger).start("feature", names, "3", {})
    made = Finding.of(names.subject, names.dictionary, (3,), kind, text, evidence=("e-1",))
    FindingStore(ledger).add(source, [made])
    return made


def test_what_investigations_learnt_is_found_by_meaning(tmp_path: Path, ledger: Ledger) -> None:
    cat = learnt(ledger, "the word cat")
    dog = learnt(ledger, "the word dog", FindingKind.REFUTED)
    learnt(ledger, "the word cat", names=FeatureNames("tiny", "other"))
    learnt(ledger, "the word cat", names=FeatureNames("other", "d"))
    with FindingsIndex.open(tmp_path / "findings", WordEmbedder()) as findings:
        assert findings.search_learnt("the word cat", NAMES) == []
        findings.sync(ledger)
        assert (len(findings), findings.n_learnt) == (4, 4)
        found = findings.search_learnt("the word cat", NAMES)
        assert [(f.id, f.kind) for f in found] == [
            (cat.id, FindingKind.MEANING),
            (dog.id, FindingKind.REFUTED),
        ]
        assert found[0].similarity == pytest.approx(1.0, abs=1e-5)
        assert found[1].similarity == pytest.approx(2 / 3, abs=1e-5)
        refuted = findings.search_learnt("the word cat", NAMES, kinds=[FindingKind.REFUTED])
        assert [f.id for f in refuted] == [dog.id]
        assert findings.search_learnt("the word cat", NAMES, kinds=[FindingKind.CONCEPT]) == []
        assert [f.id for f in findings.search_learnt("the word cat", NAMES, 1)] == [cat.id]
        assert all(f.text in LABELS for f in findings.search("the word", 9))  # labels alone


def test_findings_follow_the_ledger_and_are_rebuilt(tmp_path: Path, ledger: Ledger) -> None:
    folder, embedder = tmp_path / "findings", WordEmbedder()
    learnt(ledger, "the word cat")
    with FindingsIndex.open(folder, embedder) as findings:
        findings.sync(ledger)
        bird = learnt(ledger, "the word bird")
        assert findings.sync_learnt(ledger) == 1
        assert findings.sync_learnt(ledger) == 0
        assert findings.search_learnt("bird", NAMES)[0].id == bird.id
    damage_truncate(folder)
    with FindingsIndex.open(folder, embedder) as findings:
        findings.sync(ledger)
        assert findings.n_learnt == 2
        assert findings.rebuild(ledger) == 4
        assert findings.n_learnt == 2
        with Ledger.open(tmp_path / "another.sqlite") as empty:
            findings.sync(empty)  # a ledger that holds less
        assert (len(findings), findings.n_learnt) == (0, 0)
