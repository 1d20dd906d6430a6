"""A Ray cluster as Glossator uses it: which machines it has, and whether they can do the work.

Ray (https://docs.ray.io, `ray.init`, placement by node id) only places and ends processes. What they do
and where it is stored is said by the settings alone, so every node needs the same Glossator, and must see
`home` under the same path. Nodes are machines or parts of one: two of one host may share a SQLite ledger.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import glossator
from glossator.errors import MissingExtraError, SettingsError
from glossator.memory.lease_clock import boot_id

_ADDRESS = re.compile(r"(ray://)?[\w.\-\[\]:]+:\d+")
_START = "start one with `ray start --head`, or give the ADDRESS of one that runs"
_REACH_SECONDS = 5.0
ANSWER_SECONDS = 120.0
"""Within which a node must have begun what it is asked; starting Python on a busy one takes its time."""
_log = logging.getLogger(__name__)


class RayNode(NamedTuple):
    """A living node that takes work."""

    id: str
    name: str
    """Its host and address, for messages."""
    cpus: float
    gpus: float


class Machine(NamedTuple):
    """What a node says of itself."""

    node: str
    host: str
    boot: str
    version: str
    """Of Glossator."""
    sees_mark: bool
    """Whether the file was there that it was asked for."""


class RayCluster:
    """A cluster that this process has joined. Use as a context manager, or call `leave`."""

    def __init__(self, ray: Any, address: str, *, joined: bool) -> None:
        self.ray, self.address, self._joined = ray, address, joined

    @classmethod
    def join(cls, address: str) -> RayCluster:
        """Join the cluster at `address`: `auto` for one that runs on this machine, HOST:PORT, ray://HOST:PORT.

        Raises:
            MissingExtraError: Ray is not installed.
            SettingsError: no cluster answers there.

        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError.for_extra("ray", "--ray") from error
        if ray.is_initialized():
            return cls(ray, address, joined=False)
        _refuse_silent(address)
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address, namespace="glossator", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise SettingsError(
                f"no Ray cluster could be joined at {address!r} ({error}): {_START}"
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # Ray puts its own in its place
        _keep_off_stdout()
        return cls(ray, address, joined=True)

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Leave the cluster; whatever this process had started there ends."""
        if self._joined:
            self.ray.shutdown()

    def nodes(self) -> list[RayNode]:
        """Living nodes with a CPU to offer, in a fixed order."""
        found = [n for n in self.ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
        return sorted(
            (
                RayNode(
                    id=n["NodeID"],
                    name=f"{n['NodeManagerHostname']} ({n['NodeManagerAddress']}, {n['NodeID'][:8]})",
                    cpus=n["Resources"]["CPU"],
                    gpus=n["Resources"].get("GPU", 0.0),
                )
                for n in found
            ),
            key=lambda node: node.id,
        )

    def working_nodes(self, device: str) -> list[RayNode]:
        """Nodes for work on `device`: those with a GPU where there are any and it may be used, else all.

        Raises:
            SettingsError: no node offers what is needed.

        """
        nodes = self.nodes()
        with_gpu = [node for node in nodes if node.gpus >= 1]
        chosen = with_gpu if device != "cpu" and with_gpu else nodes
        if not chosen or (device.startswith("cuda") and not with_gpu):
            wanted = "a GPU" if chosen else "a CPU"
            raise SettingsError(
                f"the Ray cluster at {self.address!r} has no living node that offers {wanted}: add one with "
                "`ray start --address=…`, or start its head with --num-cpus above 0"
            )
        return chosen

    def machines(self, nodes: Sequence[RayNode], mark: Path) -> list[Machine]:
        """What each of `nodes` says of itself, and whether it sees the file `mark`.

        Raises:
            SettingsError: a node does not answer in time.

        """
        asked = [
            self.ray.remote(examine).options(num_cpus=0, scheduling_strategy=self.on(node)).remote(str(mark))
            for node in nodes
        ]
        machines: list[Machine] = []
        for node, answer in zip(nodes, asked, strict=True):
            try:
                facts = self.ray.get(answer, timeout=ANSWER_SECONDS)
            except self.ray.exceptions.RayTaskError as error:
                machines.append(Machine(node.name, "", "", _missing(error), sees_mark=False))
                continue
            except self.ray.exceptions.RayError as error:
                raise SettingsError(
                    f"the Ray node {node.name} does not do what it is asked ({type(error).__name__}): "
                    "look at it with `ray status`, or take it out of the cluster"
                ) from error
            machines.append(Machine(node.name, *facts))
        return machines

    def on(self, node: RayNode, *, soft: bool = False) -> Any:
        """The strategy that places something on `node`, or elsewhere as well where it is `soft`."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node_id=node.id, soft=soft)


def here() -> tuple[str, str]:
    """Host and boot of this machine."""
    return socket.gethostname(), boot_id()


def require_fit(machines: Sequence[Machine], home: Path) -> None:
    """Raise `SettingsError`, naming the node, unless all have this Glossator and see `home`."""
    for machine in machines:
        if machine.version != glossator.__version__:
            raise SettingsError(
                f"the Ray node {machine.node} has a Glossator {machine.version}, and this machine "
                f"{glossator.__version__}: install the same there, pip install "
                f"'glossator[ray,postgres]=={glossator.__version__}'"
            )
        if not machine.sees_mark:
            raise SettingsError(
                f"the Ray node {machine.node} does not see {str(home)!r} as this machine does: put home "
                "(--home, GLOSSATOR_HOME) on storage that all nodes mount under the same path"
            )


def require_shared_ledger(machines: Sequence[Machine], ledger: str | Path, *, is_server: bool) -> None:
    """Raise `SettingsError` where several hosts would write to a ledger that is a file."""
    hosts = {(machine.host, machine.boot) for machine in machines} | {here()}
    if len(hosts) > 1 and not is_server:
        names = ", ".join(sorted(host for host, _ in hosts))
        raise SettingsError(
            f"the workers would live on {len(hosts)} machines ({names}), and the ledger {str(ledger)!r} is a "
            "file, which only processes of one machine may share: set ledger_url (--ledger-url, "
            "GLOSSATOR_LEDGER_URL) to a PostgreSQL that all of them reach, such as "
            "postgresql+psycopg://USER@HOST/glossator"
        )


def examine(mark: str) -> tuple[str, str, str, bool]:
    """On a node: host, boot, version of Glossator, and whether the file `mark` is there."""
    until = time.monotonic() + 5.0
    while not Path(mark).is_file() and time.monotonic() < until:
        time.sleep(0.1)  # storage over a network may show a new file late
    return *here(), glossator.__version__, Path(mark).is_file()


def _missing(error: Any) -> str:
    """What stands for a version where Glossator cannot even be imported, or is another one."""
    return f"that cannot be used ({str(error.cause).strip().splitlines()[-1]})"


def _refuse_silent(address: str) -> None:
    """Ray itself takes minutes to give up."""
    if address == "auto":
        return
    if not _ADDRESS.fullmatch(address):
        raise SettingsError(f"--ray {address!r} is no address: give auto, HOST:PORT or ray://HOST:PORT")
    host, port = address.removeprefix("ray://").rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SettingsError(f"nothing answers at {address!r} ({error}): {_START}") from error


def _keep_off_stdout() -> None:
    """Ray prints news of lost nodes on standard output, where results stand; no setting turns that off."""
    import ray._private.worker as driver

    def to_log(batch: dict[str, Any], **_: object) -> None:
        _log.info("ray: %s", "\n".join(batch.get("lines", ())))

    if hasattr(driver, "print_to_stdstream"):
        setattr(driver, "print_to_stdstream", to_log)  # noqa: B010 a name that the checker does not know
