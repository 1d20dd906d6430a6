"""As much of Ray as building an index asks of it, in this process and one call after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import glossator
from glossator.ray_cluster import Machine, RayCluster, RayNode, here


class RayError(Exception):
    """A node or a process of it is lost."""


class RayTaskError(RayError):
    """What was called has raised `cause`."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False)
class Call:
    """One call of an actor's method, made when it is asked for."""

    node: str
    actor: Any
    method: str
    arguments: tuple[Any, ...]


@dataclass
class FakeRay:
    """The cluster of two nodes, `a` and `b`, and what goes wrong in it."""

    lost: Callable[[Call], bool] = lambda _: False
    """Whether a node is lost at a call; then it answers nothing any more."""
    late: Callable[[Call], bool] = lambda _: False
    """Whether a call has no answer yet."""
    before: Callable[[Call], None] = lambda _: None
    """Called before each call is made; may raise."""
    asked: list[Call] = field(default_factory=list[Call])
    killed: list[Any] = field(default_factory=list[Any])
    options: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    dead: set[str] = field(default_factory=set[str])
    made: int = 0
    """Actors."""
    cpus: float = 1.0
    gpus: float = 0.0
    exceptions: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
    )

    def nodes(self) -> list[dict[str, Any]]:
        offered = {"CPU": self.cpus, "GPU": self.gpus}
        named = {"NodeManagerHostname": "host", "NodeManagerAddress": "127.0.0.1"}
        return [{"Alive": True, "NodeID": name, "Resources": offered, **named} for name in "ab"]

    def remote(self, kind: type) -> Any:
        def options(**given: Any) -> Any:
            self.options.append(given)
            return SimpleNamespace(
                remote=lambda *args: self._actor(given["scheduling_strategy"], kind(*args))
            )

        return SimpleNamespace(options=options)

    def wait(self, calls: Sequence[Call], num_returns: int, timeout: float) -> tuple[list[Call], list[Call]]:
        done = [call for call in calls if not self.late(call)][:num_returns]
        return done, [call for call in calls if call not in done]

    def get(self, call: Call) -> Any:
        self.asked.append(call)
        if call.node in self.dead or self.lost(call):
            self.dead.add(call.node)
            raise RayError
        try:
            self.before(call)
            return getattr(call.actor, call.method)(*call.arguments)
        except Exception as error:
            raise RayTaskError(error) from error

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def _actor(self, node: str, made: Any) -> Any:
        self.made += 1

        def method(name: str) -> Any:
            return SimpleNamespace(remote=lambda *arguments: Call(node, made, name, arguments))

        return SimpleNamespace(**{name: method(name) for name in ("begin", "prepare", "encode")})


class FakeCluster(RayCluster):
    """The nodes of a `FakeRay`, all of which fit."""

    def __init__(self, ray: FakeRay) -> None:
        super().__init__(ray, "fake", joined=False)

    def machines(self, nodes: Sequence[RayNode], mark: Path) -> list[Machine]:
        return [Machine(n.name, *here(), glossator.__version__, sees_mark=mark.is_file()) for n in nodes]

    def on(self, node: RayNode, *, soft: bool = False) -> str:
        assert not soft
        return node.id
