"""What is paid survives whatever ends the run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from tests.agents.call_room_fixtures import TinyChat, question, read, room

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import asyncio, sys
from pathlib import Path
from glossator.memory.ledger import Ledger
from tests.agents.call_room_fixtures import TinyChat, question, read, room

async def main():
    calls = room(TinyChat(latency=lambda n: 0.001 * (n % 5)), Ledger.open(Path(sys.argv[1])), slots=8)
    numbers = iter(range(int(sys.argv[2])))
    async def worker():
        for i in numbers:
            await calls.ask(question(f"1|{i}|1"), read)
            print(i, flush=True)  # only once it was handed out
    await asyncio.gather(*(worker() for _ in range(8)))
    await calls.close()

asyncio.run(main())
"""


def start(ledger: Path, number: int) -> subprocess.Popen[str]:
    folders = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": folders}
    command = [sys.executable, "-c", WORKER, str(ledger), str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


def test_a_killed_run_pays_for_no_answer_twice(tmp_path: Path) -> None:
    process = start(tmp_path / "l.sqlite", 5000)
    assert process.stdout is not None
    handed = [int(process.stdout.readline()) for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    handed += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    endpoint = TinyChat()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        ledger.check()
        stored = CallStore(ledger).count()
        assert len(handed) <= stored < 5000

        async def again() -> None:
            calls = room(endpoint, ledger)
            for i in handed:
                assert await calls.ask(question(f"1|{i}|1"), read) == "1"
            assert (calls.spending.calls, calls.spending.cached) == (0, len(handed))
            await calls.close()

        asyncio.run(again())
    assert endpoint.requests == []


def test_ctrl_c_keeps_every_answer_that_came(tmp_path: Path) -> None:
    endpoint = TinyChat(latency=lambda n: 0.0 if n < 200 else 600.0)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:

        async def run() -> None:
            calls = room(endpoint, ledger, slots=300)
            interrupter = asyncio.create_task(interrupt())
            try:
                await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(240)))
            finally:
                await calls.close()
                assert interrupter.done()

        async def interrupt() -> None:
            while (len(endpoint.requests), endpoint.in_flight) != (240, 40):
                await asyncio.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        started = time.monotonic()
        # A shell that starts its jobs in the background has them ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            asyncio.run(run())
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("the run was not interrupted")
        finally:
            signal.signal(signal.SIGINT, before)
        assert time.monotonic() - started < 120
        ledger.check()
        assert CallStore(ledger).count() == 200


def test_answers_on_their_way_are_kept_when_everything_is_cancelled(tmp_path: Path) -> None:
    """Cancelled without a `close`, in the very moment in which answers came."""
    endpoint = TinyChat()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:

        async def run() -> None:
            calls = room(endpoint, ledger, slots=50)
            asks = [asyncio.create_task(calls.ask(question(f"1|{i}|1"), read)) for i in range(50)]
            while not endpoint.requests:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for ask in asks:
                ask.cancel()

        asyncio.run(run())
        replied = len(endpoint.requests) - endpoint.in_flight
        assert CallStore(ledger).count() == replied > 0
