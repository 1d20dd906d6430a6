"""The shards of an activation index, encoded by the nodes of a Ray cluster.

Each node holds the subject and the dictionary and takes the next shard when it has done one; shards are
written to the index's folder, which all nodes see. A node that is lost costs the shard that it was at:
another encodes it, and should the lost one live on, each writes a file of its own and renames it when it is
whole. What a node writes is read back and checked here, so a build trusts files alone. The build holds the
folder's lock; whatever ends it ends the actors, and the next one removes what they left half written.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from glossator.errors import ClusterError, CorruptFileError, GlossatorError, IndexMismatchError, SettingsError
from glossator.probes.activation_index.identity import IndexIdentity
from glossator.probes.activation_index.manifest import Manifest
from glossator.probes.activation_index.shard import Shard, ShardPlace
from glossator.ray_cluster import ANSWER_SECONDS, RayCluster, RayNode, require_fit
from glossator.settings import Settings

_SEEN_SECONDS = 30.0
"""Within which a file that a node has written must be seen here."""


class Encoded(NamedTuple):
    """What a node says of a shard that it has written."""

    tokens: int


class ShardNode:
    """Lives on a node: encodes shards of one index with a subject and a dictionary of its own."""

    def __init__(self, folder: str, identity: str) -> None:
        self._folder = Path(folder)
        self._identity = IndexIdentity.model_validate_json(identity)

    def begin(self) -> None:
        """Say that it lives: loading a large subject may take long after that."""

    def prepare(self, settings: str) -> None:
        """Load subject and dictionary.

        Raises:
            IndexMismatchError: they are not those that the index is built from.

        """
        from glossator.probes.activation_index.shard_encoders import InOrder
        from glossator.session import Session

        session = Session(Settings.model_validate_json(settings))
        subject, dictionary = session.subject, session.dictionary
        found = {
            "subject": subject.fingerprint(),
            "vocabulary": subject.vocabulary.fingerprint,
            "dictionary": dictionary.fingerprint(),
        }
        self._identity.model_copy(update=found).require(self._identity, self._folder)
        self._encoder = InOrder(subject, dictionary)

    def encode(self, manifest: str, place: str) -> Encoded:
        """Write one shard."""
        wanted = ShardPlace.model_validate_json(place)
        tokens: list[int] = []
        parsed = Manifest.model_validate_json(manifest)
        self._encoder.encode(self._folder, parsed, [wanted], tokens.append)
        return Encoded(sum(tokens))


class RayShardEncoder:
    """Has the nodes of `cluster` encode the shards of the index that `settings` ask for."""

    def __init__(self, cluster: RayCluster, settings: Settings) -> None:
        self._cluster, self._settings = cluster, settings

    def encode(
        self, folder: Path, manifest: Manifest, places: Sequence[ShardPlace], report: Callable[[int], None]
    ) -> None:
        """As `ShardEncoder.encode`.

        Raises:
            SettingsError: a node lacks this Glossator, does not see the folder, or has no room.
            IndexMismatchError: a node reads another subject or dictionary.
            ClusterError: no node is left.

        """
        nodes = self._cluster.working_nodes(self._settings.device)
        require_fit(self._cluster.machines(nodes, folder / "manifest.json"), folder)
        _Encoding(self._cluster, self._settings, folder, manifest, report).run(nodes, places)


@dataclass
class _Seat:
    """An actor on a node, and what it is at."""

    node: RayNode
    actor: Any
    begun: bool = False
    """It runs there; until then it waits for CPUs or GPUs."""
    place: ShardPlace | None = None
    """What it encodes; None while it begins, prepares or has nothing to do."""


class _Encoding:
    """One call of `RayShardEncoder.encode`: which node is at which shard."""

    def __init__(
        self,
        cluster: RayCluster,
        settings: Settings,
        folder: Path,
        manifest: Manifest,
        report: Callable[[int], None],
    ) -> None:
        self._cluster, self._ray, self._settings = cluster, cluster.ray, settings
        self._folder, self._manifest, self._report = folder, manifest, report
        self._todo: deque[ShardPlace] = deque()
        self._at: dict[Any, _Seat] = {}
        """Calls in flight."""
        self._idle: list[_Seat] = []
        """Prepared and without a shard: another node may be lost, and leave one."""
        self._last_loss = ""

    def run(self, nodes: Sequence[RayNode], places: Sequence[ShardPlace]) -> None:
        """Have every place encoded."""
        self._todo.extend(places)
        seats = [_Seat(node, self._actor(node)) for node in nodes for _ in range(self._seats(node))]
        try:
            for seat in seats[: len(places)]:
                self._at[seat.actor.begin.remote()] = seat
            began = time.monotonic()
            while self._todo or any(seat.place is not None for seat in self._at.values()):
                self._step(began)
        finally:
            for seat in seats:
                with suppress(self._ray.exceptions.RayError):
                    self._ray.kill(seat.actor)

    def _step(self, began: float) -> None:
        if not self._at:
            raise ClusterError(
                f"no node of the Ray cluster is left ({self._last_loss}); {len(self._todo)} shards are left: "
                "add nodes and run `glossator index build` again; finished shards are kept"
            )
        done, _ = self._ray.wait(list(self._at), num_returns=1, timeout=1.0)
        waited = time.monotonic() - began
        if not done and waited > ANSWER_SECONDS and not any(seat.begun for seat in self._at.values()):
            raise SettingsError(
                f"no node of the Ray cluster took up its work within {waited:.0f} s: others hold its CPUs or "
                "GPUs; see `ray status`"
            )
        for call in done:
            self._take(call, self._at.pop(call))

    def _take(self, call: Any, seat: _Seat) -> None:
        """Take a node's answer, and give it the next thing to do."""
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            raise _own_error(error, seat.node) from error
        except self._ray.exceptions.RayError as error:
            self._last_loss = f"{seat.node.name}: {type(error).__name__}"
            if seat.place is not None:
                self._todo.appendleft(seat.place)
                if self._idle:
                    self._send(self._idle.pop())
            return
        if not seat.begun:
            seat.begun = True
            self._at[seat.actor.prepare.remote(self._own_settings())] = seat
            return
        if seat.place is not None:
            self._require_seen(seat.place, seat.node)
            self._report(answer.tokens)
        self._send(seat)

    def _send(self, seat: _Seat) -> None:
        """Have a seat encode the next shard, or wait."""
        seat.place = self._todo.popleft() if self._todo else None
        if seat.place is None:
            self._idle.append(seat)
            return
        sent = seat.actor.encode.remote(self._manifest.model_dump_json(), seat.place.model_dump_json())
        self._at[sent] = seat

    def _own_settings(self) -> str:
        """Without addresses that may hold a password: shards need none of them."""
        unneeded: dict[str, None] = {"ledger_url": None, "chroma_url": None, "base_url": None}
        return self._settings.model_copy(update=unneeded).model_dump_json()

    def _on_gpu(self, node: RayNode) -> bool:
        return node.gpus >= 1 and self._settings.device != "cpu"

    def _seats(self, node: RayNode) -> int:
        return int(node.gpus) if self._on_gpu(node) else 1

    def _actor(self, node: RayNode) -> Any:
        on_gpu = self._on_gpu(node)
        wanted = self._settings.threads or (1 if on_gpu else int(node.cpus))
        options = self._ray.remote(ShardNode).options(
            num_cpus=max(1, min(wanted, int(node.cpus / self._seats(node)))),
            num_gpus=1 if on_gpu else 0,
            scheduling_strategy=self._cluster.on(node),
        )
        return options.remote(str(self._folder), self._manifest.identity.model_dump_json())

    def _require_seen(self, place: ShardPlace, node: RayNode) -> None:
        """The shard must stand here, whole: storage over a network may show it late."""
        until = time.monotonic() + _SEEN_SECONDS
        while True:
            try:
                shard = Shard.open(self._folder / place.name)
                if shard.header.place == place and shard.is_intact():
                    return
            except CorruptFileError:
                pass
            if time.monotonic() > until:
                raise CorruptFileError(
                    f"the Ray node {node.name} has written {place.name!r}, but it does not stand whole in "
                    f"{str(self._folder)!r} here: put home on storage that all nodes share"
                )
            time.sleep(0.2)


def _own_error(error: Any, node: RayNode) -> GlossatorError:
    """What went wrong on a node, as if it had gone wrong here."""
    cause = error.cause
    if isinstance(cause, IndexMismatchError):
        return IndexMismatchError(
            f"the Ray node {node.name} reads another subject or dictionary than this machine: {cause}"
        )
    if isinstance(cause, GlossatorError):
        return type(cause)(f"on the Ray node {node.name}: {cause}")
    return ClusterError(f"the Ray node {node.name} failed: {type(cause).__name__}: {cause}")
