"""A search in memory: the trials of `nas_core.loop`, without a store, in one process."""

from collections.abc import Callable

from nas_core.agent import Agent, Recommends
from nas_core.ledger import Ledger
from nas_core.loop import Settings, job_of
from nas_core.order import ByProposal
from nas_core.trainer.base import Trainer

Improvement = tuple[int, tuple[int, ...]]  # evaluations before it, the decisions


def search_in_memory(
    agent: Agent,
    trainer: Trainer,
    settings: Settings,
    on_observed: Callable[[Ledger], None] = lambda ledger: None,
) -> Ledger:
    """Return all trials of a search that ends after `settings.trials`.

    Args:
        agent: Fresh.
        trainer: Answers in this process.
        settings: Bounds; only trials, seed, threads, penalty and credits are used.
        on_observed: Called whenever the agent has learned.
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
        on_observed(ledger)
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


class Recommendations:
    """What an agent would have recommended after each evaluation.

    Attributes:
        steps: Each recommendation that differed from the one before.
    """

    def __init__(self, agent: Recommends) -> None:
        """Watch an agent; to be told whenever it has learned."""
        self._agent = agent
        self.steps: list[Improvement] = []

    def __call__(self, ledger: Ledger) -> None:
        """Ask the agent."""
        number = self._agent.recommend()
        if number is None:
            return
        actions = ledger.trials[number].proposal.actions
        if not self.steps or self.steps[-1][1] != actions:
            self.steps.append((len(ledger.observed) - 1, actions))
