"""What the search loop knows of its trials: proposed, finished, credited, observed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nas_core.agent import Proposal, Scored
from nas_core.store import TrialRow
from nas_core.trainer.base import Result


@dataclass
class Trial:
    """One trial, from proposal to observation.

    Attributes:
        proposal: What the agent proposed.
        result: None until it is finished.
        credited_from: The trial whose result this repeat was credited with; None when trained.
        known: How many trials the agent had learned from when it proposed this one; None in
            runs of format 1.
    """

    proposal: Proposal
    result: Result | None = None
    credited_from: int | None = None
    known: int | None = None


class Ledger:
    """Every trial of a run, in memory.

    Attributes:
        trials: In the order of proposing.
        arrived: Numbers of finished trials that were not observed yet, in the order of finishing.
        observed: Numbers of observed trials, in the order of observing.
    """

    def __init__(self, rows: Sequence[TrialRow], credits: bool = True) -> None:
        """Take over what a run's store holds.

        Args:
            rows: All trials, in the order of proposing.
            credits: Whether a repeat of an architecture is answered with its earlier result.
        """
        self.trials: list[Trial] = []
        self._credits = credits
        self._source: dict[str, int] = {}  # digest -> the trial that is (or was) trained
        self._next = 0  # first trial that may still need a result
        self.add([row.proposal for row in rows])
        for row in rows:
            trial = self.trials[row.number]
            trial.result = None if row.status is None else row.result
            trial.credited_from = row.credited_from
            trial.known = row.known
        seen = [row for row in rows if row.place is not None]
        fresh = [row for row in rows if row.place is None and row.status is not None]
        self.observed = [row.number for row in sorted(seen, key=_place)]
        self.arrived = [row.number for row in sorted(fresh, key=_finished)]

    def add(self, proposals: Sequence[Proposal], known: int | None = None) -> None:
        """Append proposals that an agent made after it had learned from `known` trials."""
        for proposal in proposals:
            self._source.setdefault(proposal.spec.digest, proposal.trial)
            self.trials.append(Trial(proposal, known=known))

    def finish(self, number: int, result: Result, credited_from: int | None = None) -> None:
        """Note a trial's result."""
        trial = self.trials[number]
        trial.result, trial.credited_from = result, credited_from
        self.arrived.append(number)

    def observe(self, numbers: Sequence[int]) -> None:
        """Note that the agent has learned from these trials."""
        self.observed += numbers
        gone = set(numbers)
        self.arrived = [number for number in self.arrived if number not in gone]

    def unfinished(self) -> Iterator[int]:
        """Yield trials without a result, in the order of proposing."""
        while self._next < len(self.trials) and self.trials[self._next].result is not None:
            self._next += 1
        for number in range(self._next, len(self.trials)):
            if self.trials[number].result is None:
                yield number

    def to_train(self) -> Iterator[int]:
        """Yield unfinished trials that wait for no other's result."""
        return (number for number in self.unfinished() if self._source_of(number) == number)

    def credit(self) -> list[int]:
        """Answer repeats of finished architectures with the earlier result; return which."""
        credited = []
        for number in list(self.unfinished()):
            source = self._source_of(number)
            earlier = self.trials[source].result
            if source != number and earlier is not None:
                self.finish(number, replace(earlier, seconds=0.0), source)
                credited.append(number)
        return credited

    def _source_of(self, number: int) -> int:
        return self._source[self.trials[number].proposal.spec.digest] if self._credits else number

    def scored(self, numbers: Sequence[int], penalty: float) -> list[Scored]:
        """Return what the agent is told of finished trials.

        Args:
            numbers: Which, in the order of observing.
            penalty: Reward of a failed trial.
        """
        told = []
        for trial in (self.trials[number] for number in numbers):
            if trial.result is not None:
                reward = penalty if trial.result.score is None else trial.result.score
                fresh = trial.credited_from is None
                told.append(Scored(trial.proposal, reward, trial.result, fresh))
        return told


def _place(row: TrialRow) -> tuple[int, int]:
    return (0 if row.place is None else row.place), row.number


def _finished(row: TrialRow) -> tuple[float, int]:
    return (0.0 if row.finished is None else row.finished), row.number
