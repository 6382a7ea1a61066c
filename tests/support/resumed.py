"""Searches on the mock that die at every planted fault and go on, beside one that never does.

Each sitting is a forked process that really dies of SIGKILL; this module is therefore run as a
program of its own, in a process without threads: `python resumed.py FOLDER < CASES`.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nas_core
from nas_core import failpoints
from nas_core.store import RECOMMENDED, RunStore

TRIALS, MORE = 30, 12
# In this order, each in a sitting of its own: every one is reached in every search.
FAULTS = (
    "store.proposed:kill", "store.begun:kill:4", "store.recorded:kill:2", "loop.delivered:kill:3",
    "store.commit:kill:4", "store.committed:kill:5", "store.agent:kill", "loop.told:kill:3",
)  # fmt: skip
SIGKILLED = -9
Case = dict[str, Any]


def forked(action: Callable[[], object]) -> int:
    """Return the exit code of `action` in a process of its own; negative for a signal."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def facts(run: Path) -> dict[str, Any]:
    """Return all that a run has come to, but for the clock."""
    with RunStore.open(run) as store:
        rows = [
            [
                row.number, row.digest, row.spec_json, row.actions, row.epsilon, row.status,
                row.score, row.reward, row.credited_from, row.place, row.seconds, row.message,
                row.result.to_json(),
            ]
            for row in store.trials()
        ]  # fmt: skip
        found = {"rows": rows, "state": store.agent_state(), "best": store.meta(RECOMMENDED)}
    return json.loads(json.dumps(found))


def search(case: Case, run: Path, fault: str | None) -> None:
    failpoints.arm(fault)
    nas_core.search(**{"trainer": "mock", "trials": TRIALS, "control": None, **case}, run=run)


def resume(run: Path, fault: str | None, more: int = 0) -> None:
    failpoints.arm(fault)
    nas_core.resume(run, more_trials=more)


def compare(case: Case, folder: Path) -> dict[str, Any]:
    """Return whether a search that dies at each of `FAULTS` becomes what one without faults is."""
    whole, parts = folder / "whole", folder / "parts"
    ends = [forked(lambda: search(case, whole, None))]
    ends.append(forked(lambda: resume(whole, None, MORE)))
    deaths = [forked(lambda: search(case, parts, FAULTS[0]))]
    deaths += [forked(lambda fault=fault: resume(parts, fault)) for fault in FAULTS[1:]]
    ends.append(forked(lambda: resume(parts, None)))
    middle = len(facts(parts)["rows"])
    ends.append(forked(lambda: resume(parts, None, MORE)))
    one, other = facts(whole), facts(parts)
    return {
        "case": case,
        "different": [name for name in one if one[name] != other[name]],
        "trials": [middle, len(other["rows"])],
        # Simulated workers commit many rounds at once: such a run may end before the last faults.
        "died": deaths[0] == SIGKILLED if "workers" in case else {*deaths} == {SIGKILLED},
        "ended": ends == [0] * len(ends),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    for number, case in enumerate(json.load(sys.stdin)):
        print(json.dumps(compare(case, folder / str(number))), flush=True)


if __name__ == "__main__":
    main()
