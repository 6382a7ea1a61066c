"""What a controller prefers now: the probabilities of every decision on its likeliest path.

The probabilities of a recurrent controller depend on what was decided before. Each decision is
therefore shown after the likeliest option of every earlier one: the architecture that the
controller would propose if it never tried anything else. That is one path, found in one pass; the
likeliest whole sequence may be another one, and a mean over sampled sequences would mix decisions
that never stand together.
"""

from typing import Any

import numpy as np

from nas_core.agent import Preference
from nas_core.space import SearchSpace, decision_name
from nas_net_architecture import reinforce
from nas_net_architecture.controller import Policy
from nas_net_architecture.decisions import Curriculum


def preferences(policy: Policy, space: SearchSpace[Any], trial: int) -> list[Preference]:
    """Return every decision with its options, each after the likeliest of those before it.

    Args:
        policy: Gives the logits; a memory that it returned before is void afterwards.
        space: Gives masks and names.
        trial: The trial that would decide: a space may allow less to early ones.
    """
    state, memory = space.initial(), policy.start(1)
    likeliest: np.ndarray | None = None
    found: list[Preference] = []
    while not space.is_terminal(state):
        legal = _legal(space, trial, state)
        logits = policy.logits(memory, len(found), likeliest)  # [1, A]
        log_probs = reinforce.log_softmax(logits.astype(np.float64), legal[None])
        found.append(_preference(space, len(found), legal, log_probs))
        likeliest = log_probs.argmax(axis=1)
        state = space.step(state, int(likeliest[0]))
    return found


def _legal(space: SearchSpace[Any], trial: int, state: Any) -> np.ndarray:
    return space.legal_for(trial, state) if isinstance(space, Curriculum) else space.legal(state)


def _preference(
    space: SearchSpace[Any], number: int, legal: np.ndarray, log_probs: np.ndarray
) -> Preference:
    """Return decision `number` from its mask [A] and its log-probabilities [1, A]."""
    probabilities = np.exp(log_probs[0])
    order = sorted(np.flatnonzero(legal).tolist(), key=lambda action: -probabilities[action])
    return Preference(
        decision_name(space, number),
        tuple((space.describe(action), float(probabilities[action])) for action in order),
        # Rounding may leave a certain decision a little below 0.
        max(0.0, float(reinforce.entropy_of(log_probs)[0])),
    )
