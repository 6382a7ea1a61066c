"""Many seeds of many agents, in processes of one thread each."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from nas_core.agent import Recommends
from nas_core.assembly import Own, Parts, agent_of, assemble
from nas_core.compare.memory import (
    Improvement,
    Recommendations,
    improvements,
    search_in_memory,
)
from nas_core.compare.noisy import with_noise
from nas_core.errors import RunError
from nas_core.executors.environment import trial_environment
from nas_core.executors.lifeline import die_with_parent
from nas_core.executors.main_module import hidden_main
from nas_core.loop import Settings
from nas_core.plan import Plan
from nas_core.trainer.base import credits_repeats

CHUNKS = 8  # of one agent's seeds per worker: enough for an even load and a live progress
BEST_OBSERVED = " (best observed)"  # beside what an agent recommends itself
SMALL = 2000  # evaluations in all below which new processes cost more than they save
Key = tuple[str, int]  # agent, seed
Found = dict[Key, list[Improvement]]


def run_seeds(plan: Plan, noise: float, agent: str, seeds: Sequence[int]) -> Found:
    """Search once per seed with one agent, in this process.

    An agent that recommends by itself is also there with its best score, as `BEST_OBSERVED`.
    """
    arena = _arena(plan, noise)
    found: Found = {}
    for seed in seeds:
        wanted = replace(plan, agent=agent, seed=seed)
        settings = Settings(trials=plan.trials, seed=seed, credits=credits_repeats(arena.trainer))
        fresh = agent_of(wanted, arena.space)
        if isinstance(fresh, Recommends):
            watch = Recommendations(fresh)
            ledger = search_in_memory(fresh, arena.trainer, settings, watch)
            found[agent, seed] = watch.steps
            found[agent + BEST_OBSERVED, seed] = improvements(ledger)
        else:
            found[agent, seed] = improvements(search_in_memory(fresh, arena.trainer, settings))
    return found


@lru_cache(maxsize=1)
def _arena(plan: Plan, noise: float) -> Parts:
    """Return the space and the trainer, built once per process; its agent is not used."""
    parts = assemble(plan, Own())
    return replace(parts, trainer=with_noise(parts.trainer, parts.space, noise))


def run_all(
    plan: Plan,
    agents: Sequence[str],
    seeds: int,
    workers: int,
    on_progress: Callable[[str, int, int], None] = lambda agent, done, total: None,
    noise: float = 0.0,
) -> Found:
    """Search with every agent and every seed from 0 to `seeds` - 1.

    Args:
        plan: Space, trainer and trials; its agent and seed are replaced.
        agents: Registered names.
        seeds: How many.
        workers: Processes; a small comparison stays in this one.
        on_progress: Called with the agent that has just gone on, and searches done and in all.
        noise: Deviation of an error of each score (see `noisy.with_noise`).

    Raises:
        RunError: A worker died.
    """
    size = max(1, -(-seeds // (workers * CHUNKS)))
    chunks = [range(first, min(first + size, seeds)) for first in range(0, seeds, size)]
    tasks = [(agent, chunk) for agent in agents for chunk in chunks]
    total, found = seeds * len(agents), Found()
    _arena.cache_clear()  # an earlier comparison may have seen another file in the same place
    alone = workers == 1 or total * plan.trials <= SMALL
    for agent, part in (
        _alone(plan, noise, tasks) if alone else _together(plan, noise, tasks, workers)
    ):
        found |= part
        on_progress(agent, sum(name in agents for name, _ in found), total)
    return found


Task = tuple[str, range]


def _alone(plan: Plan, noise: float, tasks: Sequence[Task]) -> Iterator[tuple[str, Found]]:
    for agent, chunk in tasks:
        yield agent, run_seeds(plan, noise, agent, chunk)


def _together(
    plan: Plan, noise: float, tasks: Sequence[Task], workers: int
) -> Iterator[tuple[str, Found]]:
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_settle_down
    )
    try:
        # Processes start as tasks arrive: with one thread, and without the caller's script.
        with _one_thread(), hidden_main():
            waiting: dict[Future[Found], str] = {
                pool.submit(run_seeds, plan, noise, agent, chunk): agent for agent, chunk in tasks
            }
        while waiting:
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(done), done.result()
    except BrokenProcessPool as error:
        raise RunError(
            "expected all comparing processes to live, one was killed: free some memory, or "
            "compare with fewer --workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _settle_down() -> None:
    """Leave Ctrl-C to the driver, and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that start now have one thread each."""
    before = dict(os.environ)
    os.environ.update(trial_environment(1, None))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
