"""What `nas show` says of a controller: the probability of each option, entropy over time."""

from collections.abc import Sequence
from typing import Any

from nas_core.cli.output import number, print_json, say, table
from nas_core.errors import NasError, RunError

FEW = 4  # options of a decision beside the table of trials; --policy shows all
MOMENTS = 12  # of the line of entropies


def show_policy(store: Any, json: bool) -> None:
    """Print the whole policy and nothing else.

    Raises:
        RunError: The run's agent has no policy that could be shown.
    """
    from nas_core.inspection import policy_of

    policy = policy_of(store)
    if policy is None:
        raise RunError(
            f"expected a run of a controller such as reinforce or ppo, the agent of {store.folder} "
            "has no policy: see nas show --q for a Q-learner"
        )
    if json:
        print_json({"policy": policy.to_json()})
    else:
        _print(policy, None)


def summarise_policy(store: Any) -> None:
    """Print a policy below a run's trials, shortened; one line on stderr where it cannot be had."""
    from nas_core.inspection import ENTROPY, policy_of, updates

    try:
        policy = policy_of(store)
    except NasError as error:
        if any(ENTROPY in update for update in updates(store)):
            say(f"the policy is not shown: {error}")
        return
    if policy is not None:
        print()
        _print(policy, FEW)


def _print(policy: Any, most: int | None) -> None:
    """Print the table and the course of the entropy.

    Args:
        policy: A `nas_core.inspection.Policy`.
        most: Options of each decision; None for all.
    """
    rows = [
        (item.decision, number(item.entropy, 2), _options(item.options, most))
        for item in policy.decisions
    ]
    print(f"policy of {policy.agent} after {policy.trials} trials, along its likeliest decisions")
    print(table(("decision", "entropy", "options and their probabilities"), rows))
    if policy.entropies:
        print(f"\n{entropy_line(policy.entropies)}")


def _options(options: Sequence[tuple[str, float]], most: int | None) -> str:
    shown = options if most is None else options[:most]
    words = [f"{name} {probability:.2f}" for name, probability in shown]
    return "  ".join(words + (["..."] if len(shown) < len(options) else []))


def entropy_line(values: Sequence[float]) -> str:
    """Return at most `MOMENTS` evenly spaced entropies, the first and the last among them."""
    last = len(values) - 1
    count = min(MOMENTS, len(values))
    places = [round(last * index / max(1, count - 1)) for index in range(count)]
    line = " ".join(f"{values[place]:.2f}" for place in places)
    updates = "1 update" if len(values) == 1 else f"{len(values)} updates"
    return f"entropy over {updates}, nats per decision: {line}"
