"""Workers of a labelling run on the nodes of a Ray cluster.

Each is an actor that works on the run as a local process would; all they share is the ledger, the index
and the models. What is asked of the run (pause, stop, budget) reaches them through the ledger; Ray only
says whether they live. A lost one's features are free at once, not when its lease runs out. Actors die
with the process that started them.

Keys travel as arguments of a call, not in Ray's runtime environment, which its state and its logs show.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

from glossator.agents.llm_calls.provider_variables import variables_of
from glossator.agents.llm_calls.redaction import without_secrets
from glossator.errors import StorageError
from glossator.llm_roles import role_models
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import RunWorkers
from glossator.probes.atomic_file import unwritable
from glossator.ray_cluster import ANSWER_SECONDS, RayCluster, RayNode, require_fit, require_shared_ledger
from glossator.run_placement import InThisProcess, WorkerOutcome
from glossator.settings import Settings

POSTGRES = (
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE",
    "PGSERVICEFILE", "PGOPTIONS", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGCHANNELBINDING",
    "PGGSSENCMODE", "PGTARGETSESSIONATTRS",
)  # fmt: skip
"""What libpq reads (https://www.postgresql.org/docs/current/libpq-envars.html). Files are the node's."""
WORKED_AT_ONCE = 3
"""Calls that an actor answers side by side: the wait for its end, a stop, and one to spare."""


class Seat(NamedTuple):
    """The process that an actor lives in."""

    host: str
    process: int


class RayWorker:
    """Lives on a node: one worker of one run."""

    def __init__(self, work: Any = None) -> None:
        self._work = work or _work_here
        self._place: InThisProcess | None = None

    def begin(self, run: str, settings: str, variables: Mapping[str, str]) -> Seat:
        """Begin to work; returns where this is."""
        import socket

        os.environ.update(variables)
        self._place = InThisProcess(Settings.model_validate_json(settings), self._work)
        self._place.start(run, 1)
        return Seat(socket.gethostname(), os.getpid())

    def end(self) -> WorkerOutcome:
        """How it ended; waits for that."""
        assert self._place is not None, "end is asked after begin"
        while not (outcomes := self._place.poll()):
            time.sleep(0.05)
        return outcomes[0]

    def stop(self) -> None:
        """Finish what is in work, and begin nothing."""
        if self._place is not None:
            self._place.stop()


@dataclass
class _Placed:
    """A worker as the coordinator sees it."""

    node: RayNode
    actor: Any
    begun: Any
    """The call that answers with its `Seat`."""
    since: float
    run: str
    ended: Any = None
    """The call that answers with its outcome; None until it has begun."""
    seat: Seat | None = None


class RayPlacement:
    """Puts workers on the nodes of `cluster`, those first that have the fewest. A `Placement`."""

    def __init__(self, cluster: RayCluster, settings: Settings, ledger: Ledger, work: Any = None) -> None:
        self._cluster, self._ray, self._settings, self._ledger = cluster, cluster.ray, settings, ledger
        self._workers: list[_Placed] = []
        self._gpus: float | None = None
        self._work = work

    def check(self) -> list[str]:
        """Names of the nodes that would work.

        Raises:
            SettingsError: a node lacks this Glossator or does not see `home`, or the ledger is a file and
                the nodes are several machines.

        """
        nodes = self._cluster.working_nodes(self._settings.device)
        home = self._settings.home
        try:
            home.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=home, prefix=".seen-by-nodes-") as mark:
                machines = self._cluster.machines(nodes, Path(mark.name))
        except OSError as error:
            raise unwritable(home, error) from error
        require_fit(machines, home)
        place = self._settings.ledger_url or home / "ledger.sqlite"
        require_shared_ledger(machines, place, is_server=self._ledger.is_server)
        return [node.name for node in nodes]

    def start(self, run: str, workers: int) -> None:
        """Start `workers` more; where nothing is free, they begin when something is."""
        nodes = self._cluster.working_nodes(self._settings.device)
        variables = key_variables(self._settings, os.environ)
        if self._gpus is None:  # later workers take the places of these
            self._gpus = gpu_share(self._settings.device, nodes, workers)
        for _ in range(workers):
            node = min(nodes, key=lambda node: sum(w.node.id == node.id for w in self._workers))
            actor = self._actor(node)
            begun = actor.begin.remote(run, self._settings.model_dump_json(), variables)
            self._workers.append(_Placed(node, actor, begun, time.monotonic(), run))

    def poll(self) -> list[WorkerOutcome]:
        """Those that ended since this was asked last; what lost ones held is free again."""
        outcomes: list[WorkerOutcome] = []
        for worker in tuple(self._workers):
            outcome = self._outcome(worker)
            if outcome is not None:
                self._workers.remove(worker)
                self._ray.kill(worker.actor)
                outcomes.append(outcome)
        return outcomes

    def running(self) -> int:
        """How many have not ended."""
        return len(self._workers)

    def stop(self) -> None:
        """Ask all of them to finish what they are at."""
        for worker in self._workers:
            worker.actor.stop.remote()

    def kill(self) -> None:
        """End all of them at once; what they held is free again."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        for worker in self._workers:
            self._free(worker)
        self._workers.clear()

    def _outcome(self, worker: _Placed) -> WorkerOutcome | None:
        """How `worker` ended; None while it works, or waits for a node."""
        asked = worker.begun if worker.seat is None else worker.ended
        if not self._ray.wait([asked], timeout=0)[0]:
            late = worker.seat is None and time.monotonic() - worker.since > ANSWER_SECONDS
            words = f"it did not begin on the Ray node {worker.node.name} within {ANSWER_SECONDS:.0f} s: "
            return WorkerOutcome(None, words + "others hold its CPUs; see `ray status`") if late else None
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(asked)
        except errors.ActorUnavailableError:
            return self._ask_again(worker)
        except errors.RayTaskError as error:
            words = without_secrets(f"on the Ray node {worker.node.name}: {error.cause}", os.environ)
            return WorkerOutcome(None, words)
        except errors.RayError as error:
            self._free(worker)
            return WorkerOutcome(None, f"the Ray node {worker.node.name} was lost ({type(error).__name__})")
        if worker.seat is None:
            worker.seat, worker.ended = Seat(*answer), worker.actor.end.remote()
            return None
        return answer

    def _ask_again(self, worker: _Placed) -> WorkerOutcome | None:
        """It may have gone, or the connection: the next answer says which, and its work goes on meanwhile."""
        if worker.seat is None:
            return WorkerOutcome(None, f"the Ray node {worker.node.name} was lost before its worker began")
        worker.ended = worker.actor.end.remote()
        return None

    def _free(self, worker: _Placed) -> None:
        """Have the ledger take `worker` for lost; where that fails, its lease runs out by itself."""
        seat = worker.seat
        if seat is None:
            return
        try:
            RunWorkers(self._ledger, worker.run).reap(lambda host, process: (host, process) == seat)
        except StorageError:
            return

    def _actor(self, node: RayNode) -> Any:
        remote = self._ray.remote(RayWorker).options(
            num_cpus=1,
            num_gpus=self._gpus or 0.0,
            max_concurrency=WORKED_AT_ONCE,
            scheduling_strategy=self._cluster.on(node, soft=True),
        )
        return remote.remote(self._work)


def gpu_share(device: str, nodes: Sequence[RayNode], workers: int) -> float:
    """GPUs of one worker: a whole one, or a part where they are fewer than workers."""
    if device == "cpu":
        return 0.0
    each = max(1, -(-workers // max(1, len(nodes))))
    return min([1.0, *(int(node.gpus / each * 1000) / 1000 for node in nodes)])


def key_variables(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """What of `environment` workers elsewhere need: keys and addresses of the models in `settings`, and how
    PostgreSQL is reached."""
    found: dict[str, str] = {}
    for spec in role_models(settings).values():
        found |= variables_of(spec, environment)
    if settings.ledger_url is not None:
        found |= {k: v for k, v in environment.items() if k in POSTGRES}
    return dict(sorted(found.items()))


def _work_here(run: str, settings: Settings, stop: threading.Event) -> WorkerOutcome:
    from glossator.run_worker import work_on

    ended = work_on(run, settings, stop=stop, say=_unsaid)
    return WorkerOutcome(ended.why, ended.words)


def _unsaid(words: str) -> None:
    """What a worker has to say stands in the run's events."""
