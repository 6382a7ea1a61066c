"""A finished run of as many trials as one likes, written in a moment."""

from pathlib import Path

from nas_core.agent import Proposal
from nas_core.agents.random_search import RandomSearch
from nas_core.api import search
from nas_core.assembly import Own, assemble
from nas_core.plan import Plan
from nas_core.store import RunStore
from nas_core.trainer.base import Job
from nas_core.trainer.mock import MockTrainer

DIFFERENT = 200  # architectures; each is proposed again and again


def write_run(run: Path, trials: int) -> None:
    """Search a little on the mock, then add trials until there are so many."""
    search("metaqnn", None, trainer="mock", agent="random", trials=2, run=run, control=None)
    plan = Plan("metaqnn", "random", trainer="mock")
    agent, trainer = RandomSearch(assemble(plan, Own()).space, 1), MockTrainer()
    drawn = [proposal for _ in range(DIFFERENT) for proposal in agent.suggest(1)]
    results = [trainer.score(proposal.spec, Job(0, 0)) for proposal in drawn]
    with RunStore.open(run, write=True) as store, store.transaction():
        numbers = range(len(store.trials()), trials)
        store.propose([
            Proposal(number, drawn[number % DIFFERENT].spec, drawn[number % DIFFERENT].actions)
            for number in numbers
        ])  # fmt: skip
        for number in numbers:
            store.record(number, results[number % DIFFERENT])
