"""How many trials a second one writer commits for four workers that answer at once.

`python throughput.py FOLDER TRIALS` prints JSON. The workers are lasting processes: starting a
process for each trial is the process executor's price, not the store's.
"""

import json
import multiprocessing
import sys
import time
from collections import deque
from multiprocessing.connection import Connection, wait
from pathlib import Path

from nas_core.agents.random_search import RandomSearch
from nas_core.assembly import Own, assemble
from nas_core.executors.base import Finished
from nas_core.executors.wire import decode_request, encode_request
from nas_core.loop import SearchLoop, Settings
from nas_core.plan import Plan
from nas_core.spec import Spec
from nas_core.store import RunStore
from nas_core.trainer.base import Job, Result
from nas_core.trainer.mock import MockTrainer

WORKERS = 4


def serve(pipe: Connection) -> None:
    trainer = MockTrainer()
    while True:
        spec, job = decode_request(pipe.recv_bytes())
        result = trainer.score(spec, job)
        pipe.send_bytes(json.dumps([job.trial, result.to_json()]).encode())


class Deliverers:
    """An executor of four processes, each of which answers as soon as it is asked."""

    slots = WORKERS

    def __init__(self) -> None:
        self._free: deque[Connection] = deque()
        self._busy: list[Connection] = []
        for _ in range(WORKERS):
            ours, theirs = multiprocessing.Pipe()
            multiprocessing.Process(target=serve, args=(theirs,), daemon=True).start()
            self._free.append(ours)

    def submit(self, spec: Spec, job: Job) -> None:
        pipe = self._free.popleft()
        pipe.send_bytes(encode_request(spec, job))
        self._busy.append(pipe)

    def poll(self, seconds: float) -> list[Finished]:
        found = []
        for pipe in wait(self._busy, seconds):
            assert isinstance(pipe, Connection)
            trial, result = json.loads(pipe.recv_bytes())
            self._busy.remove(pipe)
            self._free.append(pipe)
            found.append(Finished(trial, Result.from_json(result)))
        return found

    def cancel(self, trial: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        for pipe in (*self._free, *self._busy):
            pipe.close()


def main() -> None:
    folder, trials = Path(sys.argv[1]), int(sys.argv[2])
    plan = Plan("metaqnn", "random", trainer="mock", trials=trials, schedule_trials=trials)
    space = assemble(plan, Own()).space
    executor = Deliverers()
    with RunStore.create(folder / "run", {}) as store:
        loop = SearchLoop(RandomSearch(space, 1), executor, store, Settings(trials, seed=0))
        began = time.monotonic()
        loop.run()
        seconds = time.monotonic() - began
        rows = store.trials()
        trained = sum(row.credited_from is None for row in rows)
    print(json.dumps({"trained": trained, "seconds": seconds, "per_second": trained / seconds}))


if __name__ == "__main__":
    main()
