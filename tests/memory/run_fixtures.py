"""A run over a few features of a tiny subject, and cards for them."""

from __future__ import annotations

from pathlib import Path

from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.lease_clock import Moment
from glossator.memory.ledger import Ledger
from glossator.records import (
    Depth,
    FeatureNames,
    FeatureRef,
    RunEvent,
    RunEventKind,
    RunOrder,
    RunPlan,
    RunVariant,
)
from tests.memory.test_ledger import card

NAMES = FeatureNames("tiny", "3-resid-64")


class HandClock:
    """A clock of leases that stands until it is moved."""

    def __init__(self) -> None:
        self.boot, self.seconds = "first", 1000.0

    def now(self, connection: object) -> Moment:
        return Moment(self.boot, self.seconds)


def feature(index: int) -> FeatureRef:
    return card(index)[0].feature


def plan(**changed: object) -> RunPlan:
    kept: dict[str, object] = {
        "names": NAMES,
        "index_identity": "x",
        "depth": Depth.LABEL,
        "selection": "all",
        "order": RunOrder.INDEX,
        "variants": (RunVariant(work_key="w-full"), RunVariant(work_key="w-cheap")),
        "panel": (0, 1),
        "settings": {},
    }
    return RunPlan.model_validate(kept | changed)


def started_run(ledger: Ledger, n: int, **changed: object) -> str:
    store = LabellingRunStore(ledger)
    run = store.create(plan(**changed), [PlannedItem(feature(i), 1.0 / (i + 1)) for i in range(n)])
    store.note(run, RunEvent(kind=RunEventKind.STARTED, words="begun"))
    return run


def opened(folder: Path) -> Ledger:
    return Ledger.open(folder / "ledger.sqlite")
