"""Bringing an agent to where its run stands: its stored state, and what has happened since.

Usually nothing has: state and trials are committed together. Where the newest state is damaged,
the one before is taken, or none at all, and the agent goes again through what it was told and what
it proposed. Proposals are functions of seed, trial and knowledge, so it becomes the same agent.
"""

import logging
from collections.abc import Callable, Sequence

from nas_core.agent import Agent, Scored
from nas_core.errors import DamageError
from nas_core.ledger import Ledger
from nas_core.records import Memory

_log = logging.getLogger(__name__)


def catch_up(
    agent: Agent,
    memory: Memory | None,
    ledger: Ledger,
    scored: Callable[[Sequence[int]], list[Scored]],
) -> bool:
    """Load an agent's state and replay what it misses; return whether it missed anything.

    Args:
        agent: Fresh.
        memory: Its newest intact state; None where there is none.
        ledger: All trials of the run.
        scored: Returns what the agent is told of the trials so numbered.

    Raises:
        DamageError: The agent proposes other trials than the run holds.
    """
    learned, proposed = (0, 0) if memory is None else (memory.observed, memory.proposed)
    if memory is not None:
        agent.load_state(memory.state, scored(ledger.observed[:learned]))
    behind = proposed < len(ledger.trials) or learned < len(ledger.observed)
    while proposed < len(ledger.trials) or learned < len(ledger.observed):
        size = _proposed_next(agent, ledger, proposed, learned)
        if size > 0:
            _propose(agent, ledger, proposed, size)
            proposed += size
        else:
            group = _group_next(agent, ledger, proposed, learned)
            if not group:
                raise DamageError("expected to know when each trial was proposed: " + _ADVICE)
            agent.observe(scored(group))
            learned += len(group)
    if behind:
        _log.warning(
            "nas: the agent's state was rebuilt from %d trials, exactly", len(ledger.observed)
        )
    return behind


_ADVICE = "the agent's state cannot be rebuilt, restore the run from a copy"


def _proposed_next(agent: Agent, ledger: Ledger, proposed: int, learned: int) -> int:
    """Return how many trials the agent proposes now, before it learns more; at most its batch."""
    group = ledger.trials[proposed : proposed + agent.batch]
    return sum(trial.known == learned for trial in group)


def _group_next(agent: Agent, ledger: Ledger, proposed: int, learned: int) -> list[int]:
    """Return the trials that the agent learns from now: a batch, or what the next one knew of."""
    end = learned + agent.batch
    known = ledger.trials[proposed].known if proposed < len(ledger.trials) else None
    if known is not None and learned < known:  # the last group of a run that went on is smaller
        end = min(end, known)
    return ledger.observed[learned:end]


def _propose(agent: Agent, ledger: Ledger, first: int, size: int) -> None:
    """Have the agent propose again.

    Raises:
        DamageError: It proposes something else.
    """
    for proposal in agent.suggest(size):
        before = ledger.trials[first].proposal
        if proposal.spec.digest != before.spec.digest or proposal.trial != before.trial:
            raise DamageError(
                f"expected the agent to propose trial {first} again, {before.spec.to_text()}, "
                f"received {proposal.spec.to_text()}: {_ADVICE}"
            )
        first += 1
