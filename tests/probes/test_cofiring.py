from __future__ import annotations

from pathlib import Path

import numpy as np

from glossator.probes.cofiring import Cofiring, cofiring
from tests.agents.planted_index import planted_index


def test_it_counts_what_the_dense_columns_hold(tmp_path: Path) -> None:
    view = planted_index(tmp_path).activations.explore
    columns = [view.dense(f) > 0 for f in (0, 1)]
    expected = Cofiring(
        narrow=int(columns[0].sum()),
        wide=int(columns[1].sum()),
        both=int((columns[0] & columns[1]).sum()),
        documents=len(np.unique(view.text.document_of(np.flatnonzero(columns[0])))),
    )
    assert expected.narrow > expected.documents > 0
    assert cofiring(view, 0, 1) == expected
    assert cofiring(view, 0, 0).both == expected.narrow
