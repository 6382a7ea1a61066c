"""The order in which an agent learns: by proposal, the same for any workers, or by arrival."""

from collections.abc import Callable
from typing import Protocol

from nas_core.agent import Agent
from nas_core.ledger import Ledger

WAITING = 2  # unfinished proposals per worker at most: repeats may wait for the same child


class Order(Protocol):
    """Decides what is observed and proposed next."""

    def group(self, ledger: Ledger) -> list[int]:
        """Return the trials to observe now; none while too few are finished."""

    def wanted(self, ledger: Ledger) -> int:
        """Return how many proposals to ask for now."""


class ByProposal:
    """Whole groups in the order of proposing: a run does not depend on the number of workers."""

    def __init__(self, agent: Agent, trials: int) -> None:
        """Take the agent's `batch` and `lag`, and the number of proposals in all."""
        self._batch, self._lag, self._trials = agent.batch, agent.lag, trials

    def group(self, ledger: Ledger) -> list[int]:
        """Return the next group if it is finished."""
        first = len(ledger.observed)
        group = list(range(first, min(first + self._batch, len(ledger.trials))))
        finished = all(ledger.trials[number].result is not None for number in group)
        return group if finished else []

    def wanted(self, ledger: Ledger) -> int:
        """Return the size of the next group, or 0 while `lag` groups are in flight."""
        proposed = len(ledger.trials)
        if proposed >= len(ledger.observed) + self._batch * self._lag:
            return 0
        return min(self._batch, self._trials - proposed)


class ByArrival:
    """Whatever finishes first is learned from first, and no worker ever waits for another.

    Proposals are then made with less knowledge than in order, and which depends on how long
    children take: a run cannot be repeated exactly.
    """

    def __init__(self, agent: Agent, trials: int, slots: Callable[[], int]) -> None:
        """Take the agent's `batch`, the number of proposals, and what tells that of workers."""
        self._batch, self._trials, self._slots = agent.batch, trials, slots

    def group(self, ledger: Ledger) -> list[int]:
        """Return the `batch` trials that arrived first; the last ones as soon as all have."""
        left = self._trials - len(ledger.observed)
        size = min(self._batch, left)
        return ledger.arrived[:size] if len(ledger.arrived) >= size else []

    def wanted(self, ledger: Ledger) -> int:
        """Return 1 while a worker would otherwise be idle."""
        if len(ledger.trials) >= self._trials:
            return 0
        training, waiting = sum(1 for _ in ledger.to_train()), sum(1 for _ in ledger.unfinished())
        slots = self._slots()
        return int(training < slots and waiting < WAITING * slots)
