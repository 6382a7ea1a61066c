"""Tune every method, train it with every seed, replay agents, start from given rates."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nas_core.files import sha256_bytes
from nas_core.trainer import runtime
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
from training_control.comparison.side_by_side import Kept, Part, train_side_by_side
from training_control.comparison.training import Outcome
from training_control.comparison.tuning import (
    SEED,
    Candidate,
    best_of,
    first_candidates,
    next_candidates,
)
from training_control.controls import OPTIMIZERS, ControlSet
from training_control.metrics import Evaluation
from training_control.tasks.base import Task

THREADS = 1  # of TensorFlow: trainings are the same, however many processes are at work
Train = Callable[[Candidate, int], Record]  # a candidate with a seed
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
    """

    bench: Bench
    digest: str


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
        turned = union(agents).names
        self._optimizers = OPTIMIZERS if "optimizer" in turned else ()
        self._resized = "layers" in turned or "units" in turned
        self._done = 0

    @property
    def total(self) -> int:
        """Trainings in all, an upper bound: equal ones are done once."""
        protocol = self._protocol
        each = len(self._methods) * (protocol.tuning + protocol.seeds)
        each += len(self._replayed) * protocol.seeds
        each += len(self._for_rates()) * len(protocol.rates) * protocol.rate_seeds
        return each * len(protocol.tasks)

    def run(self, workers: int = 1) -> Found:
        """Train what is missing and return everything.

        Args:
            workers: Processes, at least 1; the trainings do not depend on it.

        Raises:
            RunError: The folder holds another comparison, or cannot be used; or a process died.
            DataError: A task's examples cannot be had.
        """
        found = Found(agents={agent.name: agent for agent in self._agents})
        desks = self._desks  # all can be read, before hours
        with Records(self._folder) as records:
            settle(self._folder, self._protocol)
            if workers > 1:
                self._train_ahead(records, workers)
            for desk in desks:
                for method in self._methods:
                    self._do(desk, method, records, found)
                self._replay(desk, records, found)
        return found

    def do(self, part: Part, records: Kept) -> None:
        """Do one method's trainings on one task, for a process beside others."""
        number, name = part
        method = next(method for method in self._methods if method.name == name)
        self._do(self._desks[number], method, records, Found())

    @functools.cached_property
    def _desks(self) -> list[Desk]:
        tasks = self._protocol.make_tasks()
        digests = [data_digest(task.load()) for task in tasks]
        decisions = self._protocol.decisions
        return [
            Desk(Bench(task, self._optimizers, decisions, self._resized), digest)
            for task, digest in zip(tasks, digests, strict=True)
        ]

    def _train_ahead(self, records: Records, workers: int) -> None:
        """Do all parts side by side; what is left then is to read them."""
        count = len(self._protocol.tasks)
        parts = [(number, method.name) for number in range(count) for method in self._methods]
        done = len(records)

        def arrived(record: Record) -> None:
            nonlocal done
            records.add(record)
            done += 1
            self._report(f"{record.task} {record.method}", done, self.total, True)

        make = functools.partial(_begun, self._protocol, self._agents, self._folder)
        train_side_by_side(make, parts, records, workers, arrived)

    def _do(self, desk: Desk, method: Method, records: Kept, found: Found) -> None:
        """Tune a method on a task, train it with every seed and from every rate."""
        task, seeds = desk.bench.task.name, range(self._protocol.seeds)
        train = functools.partial(self._train, desk, records, method)
        found.tuning[task, method.name], best = self._tune(method, train)
        found.tuned[task, method.name] = [train(best, seed) for seed in seeds]
        if method not in self._for_rates():
            return
        found.at_rates[task, method.name] = {
            rate: [
                train(replace(best, initial_lr=rate), seed)
                for seed in range(self._protocol.rate_seeds)
            ]
            for rate in self._protocol.rates
        }

    def _replay(self, desk: Desk, records: Kept, found: Found) -> None:
        """Train under the median of what each agent has set, at its tuned rate."""
        task = desk.bench.task.name
        for agent in self._replayed:
            lived = found.tuned[task, agent]
            trajectories = [record.hyperparameters for record in lived]
            replay = replay_method(agent, median_schedule(trajectories, self._protocol.decisions))
            candidate = Candidate(lived[0].initial_lr, lived[0].parameters)
            found.tuned[task, replay.name] = [
                self._train(desk, records, replay, candidate, seed)
                for seed in range(self._protocol.seeds)
            ]

    def _for_rates(self) -> list[Method]:
        if not self._protocol.rates:
            return []
        agents = {agent.name for agent in self._agents}
        return [m for m in self._methods if m.name in RATE_METHODS or m.name in agents]

    def _tune(self, method: Method, train: Train) -> tuple[list[Record], Candidate]:
        """Return what was tried, and the best by validation."""
        count = self._protocol.tuning
        candidates = first_candidates(method, count)
        found = [train(candidate, SEED) for candidate in candidates]
        more = next_candidates(method, count, candidates[best_of(found)])
        found += [train(candidate, SEED) for candidate in more]
        return found, [*candidates, *more][best_of(found)]

    def _train(
        self, desk: Desk, records: Kept, method: Method, candidate: Candidate, seed: int
    ) -> Record:
        """Return a finished training; do it if it is missing. Tuning leaves the test split shut."""
        request = self._request(desk, method, candidate, seed)
        known = records.get(request.key)
        record = known
        if record is None:
            if request.test:
                records.open_test(request.task, desk.digest)
            record = self._trained(desk, method, request)
            records.add(record)
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
            "model": task.model,
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
        start = task.starting_at(request.initial_lr).start
        budget = desk.bench.budget(request.test)
        run = Run(desk.bench, start, request.parameters, request.seed, budget)
        return recorded(request, task, budget.decisions, method.train(run))


def _begun(protocol: Protocol, agents: Sequence[Agent], folder: Path) -> Comparison:
    """Return the comparison in a process of its own."""
    runtime.start(THREADS)
    return Comparison(protocol, agents, folder)


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
