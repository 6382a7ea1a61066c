"""Looking into a run's agent: rebuilt from the stored plan and state, without opening any data."""

from dataclasses import asdict, dataclass
from typing import Any

from nas_core.agent import Agent, Explains, Preference, Scored
from nas_core.assembly import agent_of
from nas_core.errors import NasError, RunError
from nas_core.files import as_read_back
from nas_core.kinds import IMAGE
from nas_core.ledger import Ledger
from nas_core.plan import CUSTOM, Plan
from nas_core.registry import build_space
from nas_core.space import SearchSpace
from nas_core.store import METRICS, RunStore

ENTROPY = "entropy"  # the metric that policies log


@dataclass(frozen=True)
class Policy:
    """What an agent prefers, and how it came to it.

    Attributes:
        agent: Its name.
        trials: How many trials it has learned from.
        decisions: In order, each given the likeliest option at those before it.
        updates: For each update, the first trial of its group and what the agent logged.
    """

    agent: str
    trials: int
    decisions: tuple[Preference, ...]
    updates: tuple[dict[str, float], ...]

    @property
    def entropies(self) -> list[float]:
        """Nats per decision of each update, oldest first; empty where they are not logged."""
        return [update[ENTROPY] for update in self.updates if ENTROPY in update]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values: options as objects, the likeliest first."""
        decisions = [
            {
                "decision": item.decision,
                "options": [{"option": name, "probability": p} for name, p in item.options],
                "entropy": item.entropy,
            }
            for item in self.decisions
        ]
        return {**asdict(self), "decisions": decisions, "updates": list(self.updates)}


def updates(store: RunStore) -> tuple[dict[str, float], ...]:
    """Return what the agent logged, oldest update first."""
    return tuple(detail for _, _, detail in store.events(METRICS) if isinstance(detail, dict))


def policy_of(store: RunStore) -> Policy | None:
    """Return what a run's agent prefers; None where it is not of the kind that can say so.

    Raises:
        RunError: The run has parts of the caller's own, or cannot be rebuilt by this version.
    """
    agent = _fresh_agent(store)
    if not isinstance(agent, Explains):
        return None
    rows = store.trials()
    observed = [
        Scored(row.proposal, row.reward, row.result, fresh=row.credited_from is None)
        for row in (rows[number] for number in Ledger(rows).observed)
        if row.reward is not None
    ]
    state = store.agent_state()
    if state is not None:
        agent.load_state(state, observed)
    return Policy(agent.name, len(observed), tuple(agent.preferences()), updates(store))


def _fresh_agent(store: RunStore) -> Agent:
    """Return a run's agent as it was before the first trial.

    Raises:
        RunError: See `policy_of`.
    """
    plan = _plan(store)
    for own in ("space", "agent"):
        if getattr(plan, own) == CUSTOM:
            raise RunError(
                f"expected a registered space and agent, {store.folder} was given its {own} from "
                "Python: rebuild it there and call agent.load_state, then agent.preferences"
            )
    return agent_of(plan, _space(store, plan))


def _plan(store: RunStore) -> Plan:
    value = store.config.get("plan")
    if not isinstance(value, dict):
        raise RunError(f"expected a run with its plan, {store.folder} has none: run it again")
    return Plan.from_json(value)


def _space(store: RunStore, plan: Plan) -> SearchSpace[Any]:
    """Return the run's space, built for the examples that are recorded with it.

    Raises:
        RunError: It cannot be built, or is another one by now.
    """
    identity = store.config.get("identity", {}).get("space", {})
    # A table's space records neither, and does not ask.
    shape = identity.get("image_shape", IMAGE.mock_shape)
    classes = identity.get("classes", IMAGE.mock_classes)
    try:
        space = build_space(plan.space, plan.preset, tuple(shape), classes, identity.get("words"))
    except NasError as error:
        raise RunError(f"cannot build the space of {store.folder} again: {error}") from error
    if as_read_back(space.config()) != identity:
        raise RunError(
            f"expected the space {plan.space} as {store.folder} was searched in, this version has "
            "another: look with the version that ran it (nas report names it)"
        )
    return space
