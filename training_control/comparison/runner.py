"""Tune every method, train it with every seed, replay agents, start from given rates."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nas_core.datasets.test_split import record_opening
from nas_core.files import sha256_bytes
from training_control.comparison.measures import score
from training_control.comparison.methods import (
    Agent,
    Bench,
    Method,
    Run,
    agent_method,
    baselines,
    median_schedule,
    replay_method,
)
from training_control.comparison.protocol import RATE_METHODS, Protocol, data_digest, settle
from training_control.comparison.records import Record, Records, Request, plain
from training_control.comparison.training import Outcome
from training_control.comparison.tuning import (
    SEED,
    Candidate,
    best_of,
    first_candidates,
    next_candidates,
)
from training_control.controls import ControlSet
from training_control.metrics import Evaluation
from training_control.tasks.base import Task

Report = Callable[[str, int, int, bool], None]  # what, done, in all, whether it is new


@dataclass
class Found:
    """All finished trainings, by what they are for.

    Attributes:
        tuning: By task and method.
        tuned: By task and method: at the tuned rate, in the order of seeds.
        at_rates: By task and method, then by the given rate, in the order of seeds.
        agents: The agents, by name.
    """

    tuning: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    tuned: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    at_rates: dict[tuple[str, str], dict[float, list[Record]]] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)


def union(agents: Sequence[Agent]) -> ControlSet:
    """Return every control that an agent turns; the learning rate without agents."""
    names = dict.fromkeys(name for agent in agents for name in agent.controls.names)
    return ControlSet(tuple(names) if names else ("learning_rate",))


@dataclass(frozen=True)
class Desk:
    """What every training of one task needs.

    Attributes:
        bench: The task.
        digest: Of its examples.
        records: What is finished.
    """

    bench: Bench
    digest: str
    records: Records


class Comparison:
    """Does what is missing of a comparison."""

    def __init__(
        self,
        protocol: Protocol,
        agents: Sequence[Agent],
        folder: Path,
        on_training: Report = lambda what, done, total, new: None,
    ) -> None:
        """Describe it; nothing is read before `run`.

        Args:
            protocol: The settings.
            agents: Those of the protocol; untrained ones may be among them.
            folder: For finished trainings and the protocol.
            on_training: Called after each training, also for those that were done before.
        """
        self._protocol, self._agents, self._folder = protocol, list(agents), folder
        self._report = on_training
        known = baselines(union(agents))
        self._methods = [known[name] for name in protocol.baselines]
        self._methods += [agent_method(agent) for agent in agents]
        self._replayed = [agent.name for agent in agents if agent.meta_training]
        self._optimizers = _optimizers(agents)
        self._done = 0
        self._opened: set[str] = set()  # tasks whose test split has been opened, and recorded

    @property
    def total(self) -> int:
        """Trainings in all, an upper bound: equal ones are done once."""
        protocol = self._protocol
        each = len(self._methods) * (protocol.tuning + protocol.seeds)
        each += len(self._replayed) * protocol.seeds
        each += len(self._for_rates()) * len(protocol.rates) * protocol.rate_seeds
        return each * len(protocol.tasks)

    def run(self) -> Found:
        """Train what is missing and return everything.

        Raises:
            RunError: The folder holds another comparison, or cannot be used.
            DataError: A task's examples cannot be had.
        """
        tasks = self._protocol.make_tasks()
        digests = [data_digest(task.load()) for task in tasks]  # all can be read, before hours
        found = Found(agents={agent.name: agent for agent in self._agents})
        with Records(self._folder) as records:
            settle(self._folder, self._protocol)
            for task, digest in zip(tasks, digests, strict=True):
                bench = Bench(task, self._optimizers, self._protocol.decisions)
                self._compare(Desk(bench, digest, records), found)
        return found

    def _compare(self, desk: Desk, found: Found) -> None:
        name, seeds = desk.bench.task.name, range(self._protocol.seeds)
        chosen: dict[str, Candidate] = {}
        for method in self._methods:
            found.tuning[name, method.name], chosen[method.name] = self._tune(desk, method)
        for method in self._methods:
            found.tuned[name, method.name] = [
                self._train(desk, method, chosen[method.name], seed) for seed in seeds
            ]
        for agent in self._replayed:
            lived = [record.hyperparameters for record in found.tuned[name, agent]]
            replay = replay_method(agent, median_schedule(lived, self._protocol.decisions))
            found.tuned[name, replay.name] = [
                self._train(desk, replay, chosen[agent], seed) for seed in seeds
            ]
        for method in self._for_rates():
            found.at_rates[name, method.name] = {
                rate: self._from(desk, method, replace(chosen[method.name], initial_lr=rate))
                for rate in self._protocol.rates
            }

    def _from(self, desk: Desk, method: Method, candidate: Candidate) -> list[Record]:
        seeds = range(self._protocol.rate_seeds)
        return [self._train(desk, method, candidate, seed) for seed in seeds]

    def _for_rates(self) -> list[Method]:
        if not self._protocol.rates:
            return []
        agents = {agent.name for agent in self._agents}
        return [m for m in self._methods if m.name in RATE_METHODS or m.name in agents]

    def _tune(self, desk: Desk, method: Method) -> tuple[list[Record], Candidate]:
        """Return what was tried, and the best by validation."""
        count = self._protocol.tuning
        candidates = first_candidates(method, count)
        found = [self._train(desk, method, candidate, SEED) for candidate in candidates]
        more = next_candidates(method, count, candidates[best_of(found)])
        found += [self._train(desk, method, candidate, SEED) for candidate in more]
        return found, [*candidates, *more][best_of(found)]

    def _train(self, desk: Desk, method: Method, candidate: Candidate, seed: int) -> Record:
        """Return a finished training; do it if it is missing. Tuning leaves the test split shut."""
        request = self._request(desk, method, candidate, seed)
        known = desk.records.get(request.key)
        record = self._trained(desk, method, request) if known is None else known
        if known is None:
            desk.records.add(record)
        self._done += 1
        self._report(f"{request.task} {method.name}", self._done, self.total, known is None)
        return record

    def _request(self, desk: Desk, method: Method, candidate: Candidate, seed: int) -> Request:
        task = desk.bench.task
        context = {
            "data": desk.digest,
            "method": method.identity,
            "budget": [self._protocol.decisions, task.epochs],
            "start": task.start.values(),
            "preset": self._protocol.preset,
        }
        return Request(
            task.name,
            method.name,
            candidate.initial_lr,
            seed,
            seed != SEED,
            candidate.parameters,
            sha256_bytes(json.dumps(context, sort_keys=True).encode())[:24],
        )

    def _trained(self, desk: Desk, method: Method, request: Request) -> Record:
        task = desk.bench.task
        if request.test and task.name not in self._opened:
            record_opening(self._folder, "comparison of tuned methods", task.name, desk.digest)
            self._opened.add(task.name)
        start = task.starting_at(request.initial_lr).start
        budget = desk.bench.budget(request.test)
        run = Run(desk.bench, start, request.parameters, request.seed, budget)
        return recorded(request, task, budget.decisions, method.train(run))


def recorded(request: Request, task: Task, decisions: int, outcome: Outcome) -> Record:
    """Return what is kept of a training; a crash scores 0."""
    seen: Evaluation | None = outcome.test if request.test else outcome.final
    metrics: Mapping[str, float] = {} if seen is None else {**seen.metrics, "loss": seen.loss}
    lost = None if task.metric == "mse" else 0.0
    names = outcome.hyperparameters[0] if outcome.hyperparameters else {}
    return Record(
        key=request.key,
        task=request.task,
        method=request.method,
        initial_lr=request.initial_lr,
        seed=request.seed,
        parameters=dict(request.parameters),
        metric=task.metric,
        value=lost if seen is None else plain(seen.metrics[task.metric]),
        score=0.0 if seen is None else score(task.metric, seen.metrics),
        metrics={name: plain(value) for name, value in metrics.items()},
        validation_loss=None if outcome.final is None else plain(outcome.final.loss),
        losses=[plain(loss) for loss in outcome.losses],
        train_losses=[plain(loss) for loss in outcome.train_losses],
        hyperparameters={name: [v[name] for v in outcome.hyperparameters] for name in names},
        epochs=task.epochs,
        decisions=decisions,
        examples=outcome.examples,
        seconds=outcome.seconds,
        agent_seconds=outcome.agent_seconds,
        interventions=outcome.interventions,
        rollbacks=sum(outcome.rolled_back),
        crashed=outcome.crashed,
    )


def _optimizers(agents: Sequence[Agent]) -> tuple[str, ...]:
    from training_control.controls import OPTIMIZERS

    turned = any("optimizer" in agent.controls.names for agent in agents)
    return OPTIMIZERS if turned else ()
