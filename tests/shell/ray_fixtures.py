"""A Ray cluster of several small nodes on this machine."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "3"}
STORE = 80 * 2**20
"""Bytes of a node's object store: the smallest that Ray takes."""


@contextmanager
def started_cluster(nodes: int, *, quick: bool = False) -> Generator[Any]:
    """A head without CPUs and `nodes` nodes of one CPU each, as a `ray.cluster_utils.Cluster`.

    Their processes find this checkout, tests and all. A `quick` one misses a lost node within seconds, not
    after the quarter of a minute that Ray usually takes.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if quick:
        os.environ |= QUICK
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
