"""What is compared: schedules, optimizers and agents, each as a way to train once."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_core.files import sha256_bytes
from nas_core.seeding import generator
from training_control.brain import Brain
from training_control.comparison.records import Parameters
from training_control.comparison.training import Budget, Choose, Outcome, scheduled, steered
from training_control.controls import ControlSet, Hyperparameters
from training_control.data import TrainingData
from training_control.policy import FrozenPolicy
from training_control.schedules import SCHEDULES, Options, get_schedule
from training_control.schema import controls_of
from training_control.tasks.base import Task

if TYPE_CHECKING:
    from training_control.session import Session

SCHEDULE = "schedule"  # parameter of the searches: which schedule
WARM_UP = 0.05  # share of the steps over which ScheduleFreeAdamW's rate rises


class Bench:
    """A task with its sessions, each made when it is first used and then used again."""

    def __init__(
        self, task: Task, optimizers: Sequence[str], decisions: int, resized: bool = True
    ) -> None:
        """Take a task.

        Args:
            task: What is trained.
            optimizers: Those that an agent may switch to; the task's own is always among them.
            decisions: Intervals of a training.
            resized: Whether an agent changes depth or width; else there is no room for it.
        """
        self.task, self.decisions, self._resized = task, decisions, resized
        self._optimizers = tuple(dict.fromkeys((task.start.optimizer, *optimizers)))

    @functools.cached_property
    def session(self) -> "Session":
        """The session with the task's optimizer."""
        from training_control.env import open_session

        return open_session(replace(self.task, build=self._build), self._optimizers)

    def _build(self, data: TrainingData) -> Any:
        """Build the network; where nothing resizes it, without room that would only cost time."""
        from training_control.layers import trimmed

        task = self.task
        model = task.build(data)
        if self._resized or task.pretrained:  # what was read would be lost
            return model
        return trimmed(model, task.start.layers, task.start.units)

    @functools.cached_property
    def schedule_free(self) -> "Session":
        """The session with ScheduleFreeAdamW."""
        from training_control.schedule_free import ScheduleFreeSession

        data = self.task.load()
        steps = self.task.epochs * len(data.train) / self.task.start.batch_size
        session = ScheduleFreeSession(
            self._build(data),
            data,
            pretrained=self.task.pretrained,
            warm_up_steps=max(self.task.warm_up_steps, round(WARM_UP * steps)),
        )
        session.reset(0, self.task.start)
        session.train(1)  # traces
        session.evaluate()
        return session

    def budget(self, test: bool) -> Budget:
        """Return how long a training is."""
        interval = self.task.interval(len(self.task.load().train), self.decisions)
        return Budget(self.decisions, interval, test)


@dataclass(frozen=True)
class Run:
    """One training to be done.

    Attributes:
        bench: The task.
        start: First hyperparameters.
        parameters: What was tuned beside the rate.
        seed: Of weights and order of examples.
        budget: How long.
    """

    bench: Bench
    start: Hyperparameters
    parameters: Parameters
    seed: int
    budget: Budget


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        name: As people read it.
        train: Does it once.
        options: What tuning tries beside the initial rate; the first values are the usual ones.
        design: What tuning does: "rates", or "grid" and "random" for the searches over schedules.
        identity: Digest of what it has learned; "" for what has learned nothing.
    """

    name: str
    train: Callable[[Run], Outcome]
    options: Options = field(default_factory=dict)
    design: str = "rates"
    identity: str = ""


@dataclass(frozen=True)
class Agent:
    """A frozen policy under test.

    Attributes:
        name: As people read it.
        controls: What it turns.
        policy: Decides greedily.
        meta_training: What is known of its cost: "decisions", "seconds"; empty for none.
    """

    name: str
    controls: ControlSet
    policy: FrozenPolicy
    meta_training: Mapping[str, float] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Digest of the policy."""
        arrays = self.policy.arrays()
        parts = [sha256_bytes(np.ascontiguousarray(arrays[k]).tobytes()) for k in sorted(arrays)]
        known = [self.controls.names, self.policy.config(), parts]
        return sha256_bytes(json.dumps(known).encode())[:24]

    @classmethod
    def of(cls, name: str, brain: Brain, seconds: float | None = None) -> "Agent":
        """Return the agent of a brain.

        Raises:
            RunError: It does not control trainings.
        """
        counters = brain.state.get("counters", {})
        cost = {"decisions": float(counters.get("num_timesteps", 0))}
        if seconds is not None:
            cost["seconds"] = seconds
        policy = FrozenPolicy.restored(brain.config, brain.policy)
        return cls(name, controls_of(brain.schema), policy, cost)


def follow(name: str, run: Run) -> Outcome:
    """Train under a schedule."""
    schedule = get_schedule(name)
    parameters = {k: float(v) for k, v in run.parameters.items() if k != SCHEDULE}

    def plan(progress: float, losses: Sequence[float]) -> Hyperparameters:
        factor = schedule.factor(progress, losses, **parameters)
        return replace(run.start, learning_rate=run.start.learning_rate * factor)

    return scheduled(run.bench.session, run.start, run.seed, run.budget, plan)


def _follow_found(run: Run) -> Outcome:
    return follow(str(run.parameters[SCHEDULE]), run)


def _schedule_free(run: Run) -> Outcome:
    return scheduled(
        run.bench.schedule_free, run.start, run.seed, run.budget, lambda _p, _l: run.start
    )


def _steer(controls: ControlSet, make: Callable[[int], Choose], run: Run) -> Outcome:
    return steered(run.bench.session, run.start, run.seed, run.budget, controls, make(run.seed))


def _keeper(controls: ControlSet, _seed: int) -> Choose:
    keep = np.zeros(1) if controls.flat and len(controls.names) > 1 else np.array(controls.keep())
    return lambda _observation: keep


def _gambler(controls: ControlSet, seed: int) -> Choose:
    space = controls.space()
    space.seed(int(generator(seed, "random actions").integers(2**31)))
    return lambda _observation: space.sample()


def agent_method(agent: Agent) -> Method:
    """Return an agent's training."""
    make: Callable[[int], Choose] = lambda _seed: agent.policy.act  # noqa: E731
    train = functools.partial(_steer, agent.controls, make)
    return Method(agent.name, train, identity=agent.identity)


def replay_method(agent: str, trajectory: Sequence[Mapping[str, Any]]) -> Method:
    """Return the open-loop replay of an agent's median schedule.

    Args:
        agent: Its name.
        trajectory: Hyperparameters by name for each interval.
    """
    values = [dict(point) for point in trajectory]
    identity = sha256_bytes(json.dumps(values, sort_keys=True).encode())[:24]

    def train(run: Run) -> Outcome:
        def plan(progress: float, _losses: Sequence[float]) -> Hyperparameters:
            return replace(run.start, **values[round(progress * run.budget.decisions)])

        return scheduled(run.bench.session, run.start, run.seed, run.budget, plan)

    return Method(replay_name(agent), train, identity=identity)


def replay_name(agent: str) -> str:
    """Return the name of an agent's replay."""
    return f"{agent}-replay"


def median_schedule(
    trajectories: Sequence[Mapping[str, Sequence[float | str]]], decisions: int
) -> list[dict[str, Any]]:
    """Return the median of what an agent has set at each decision.

    Args:
        trajectories: Values by name, one for each interval, of each training; those that ended
            early count as long as they lasted.
        decisions: Intervals of a training.

    Returns:
        Hyperparameters for each interval. Of names, and of whole numbers, the middle one.
    """
    found: list[dict[str, Any]] = []
    for number in range(decisions):
        running = [t for t in trajectories if len(t["learning_rate"]) > number]
        if not running:
            found.append(dict(found[-1]))
            continue
        found.append({name: _middle([t[name][number] for t in running]) for name in running[0]})
    return found


def _middle(values: Sequence[float | str]) -> float | int | str:
    ordered = sorted(values, key=lambda v: (str(v), 0.0) if isinstance(v, str) else ("", v))
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    if isinstance(low, float) and isinstance(high, float):
        return (low + high) / 2
    return low


def baselines(controls: ControlSet) -> dict[str, Method]:
    """Return all methods that have learned nothing, by name.

    Args:
        controls: What the agents under test turn; random actions turn the same.
    """
    gamble = functools.partial(_gambler, controls)
    keep = functools.partial(_keeper, controls)
    found = [
        *(Method(n, functools.partial(follow, n), s.options) for n, s in SCHEDULES.items()),
        Method("schedule-free", _schedule_free),
        Method("grid-search", _follow_found, design="grid"),
        Method("random-search", _follow_found, design="random"),
        Method("always-keep", functools.partial(_steer, controls, keep)),
        Method("random-actions", functools.partial(_steer, controls, gamble)),
    ]
    return {method.name: method for method in found}


BASELINES = (
    *SCHEDULES,
    "schedule-free",
    "grid-search",
    "random-search",
    "always-keep",
    "random-actions",
)
