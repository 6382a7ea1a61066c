"""A search in memory: the trials of `nas_core.loop`, without a store, in one process."""

from nas_core.agent import Agent
from nas_core.ledger import Ledger
from nas_core.loop import Settings, job_of
from nas_core.order import ByProposal
from nas_core.trainer.base import Trainer

Improvement = tuple[int, tuple[int, ...]]  # evaluations before it, the decisions


def search_in_memory(agent: Agent, trainer: Trainer, settings: Settings) -> Ledger:
    """Return all trials of a search that ends after `settings.trials`.

    Args:
        agent: Fresh.
        trainer: Answers in this process.
        settings: Bounds; only trials, seed, threads, penalty and credits are used.
    """
    ledger, order = Ledger([], settings.credits), ByProposal(agent, settings.trials)
    while len(ledger.observed) < settings.trials:
        while (wanted := order.wanted(ledger)) > 0:
            ledger.add(agent.suggest(wanted))
        for number in list(ledger.to_train()):
            proposal = ledger.trials[number].proposal
            ledger.finish(number, trainer.score(proposal.spec, job_of(proposal, settings)))
        ledger.credit()
        group = order.group(ledger)
        agent.observe(ledger.scored(group, settings.failure_reward))
        ledger.observe(group)
    return ledger


def improvements(ledger: Ledger) -> list[Improvement]:
    """Return each trial that was the best so far by the score that the search saw."""
    found: list[Improvement] = []
    best = float("-inf")
    for place, number in enumerate(ledger.observed):
        trial = ledger.trials[number]
        score = None if trial.result is None else trial.result.score
        if score is not None and score > best:
            best = score
            found.append((place, trial.proposal.actions))
    return found
