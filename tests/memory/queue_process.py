"""One of several processes that empty a queue together; see `test_queue_together.py`.

Called with the ledger's place, the run, how many features to claim at once, and a number by which it draws.
"""

from __future__ import annotations

import random
import sys

from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import ItemState
from tests.memory.test_ledger import card

CEILING = Ceiling(calls=2000)


def main(place: str, run: str, at_once: int, number: int) -> None:
    """Claim and end until nothing is left; prints each feature that it ended."""
    chance = random.Random(number)
    with Ledger.open(place) as ledger:
        queue, workers = WorkQueue(ledger, run), RunWorkers(ledger, run)
        worker, spent = workers.begin(f"host-{number}", number), 0
        while queue.counts().left:
            leases = queue.claim(worker, chance.randint(1, at_once))
            workers.draw(worker, CEILING, Amount(calls=spent), Amount(calls=len(leases)), Amount(calls=9))
            spent += len(leases)
            chance.shuffle(leases)
            ended = [Ended(lease, ItemState.DONE, *card(lease.feature.index)) for lease in leases]
            for lease, stored in zip(leases, queue.end(ended), strict=True):
                print(lease.feature.index if stored else "refused", flush=True)
            workers.beat(worker, Amount(calls=spent))
            workers.reap()
        workers.end(worker, Amount(calls=spent))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
