"""Which trial runs on which node, and what becomes of it when the node is lost. Knows no Ray."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_LOSSES = 3  # of one trial: the third one ends it, since it may be what ends the nodes


@dataclass
class Task:
    """A trial on its way to a result.

    Attributes:
        ticket: The driver's number for it, never used twice: a trial may be cancelled and come
            again while its first result is still on its way.
        trial: The trial's number.
        request: Specification and job, as the node wants them.
        losses: How often the node that ran it was lost.
    """

    ticket: int
    trial: int
    request: str
    losses: int = 0


@dataclass
class Member:
    """A node that takes trials.

    Attributes:
        name: Its address, for people.
        slots: Trials that it runs at once.
        running: Its trials by ticket.
    """

    name: str
    slots: int
    running: dict[int, Task] = field(default_factory=dict)


class Pool:
    """Hands waiting trials to members, never more to one than it has slots.

    Attributes:
        members: The nodes that take trials, by their identity.
    """

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self._waiting: deque[Task] = deque()

    @property
    def slots(self) -> int:
        """Trials that may run at once."""
        return sum(member.slots for member in self.members.values())

    def submit(self, task: Task) -> None:
        """Let a trial wait for a free slot."""
        self._waiting.append(task)

    def join(self, node: str, name: str, slots: int) -> None:
        """Take in a node."""
        self.members[node] = Member(name, slots)

    def assign(self) -> list[tuple[str, Task]]:
        """Give free slots to waiting trials, the emptiest node first; return who gets what."""
        given = []
        while self._waiting:
            free = [(m.slots - len(m.running), node) for node, m in self.members.items()]
            most, node = max(free, default=(0, ""), key=lambda item: item[0])
            if most < 1:
                break
            task = self._waiting.popleft()
            self.members[node].running[task.ticket] = task
            given.append((node, task))
        return given

    def cancel(self, ticket: int) -> tuple[str, Task] | None:
        """Forget a trial; return it with the node that runs it, or None."""
        self._waiting = deque(task for task in self._waiting if task.ticket != ticket)
        for node, member in self.members.items():
            task = member.running.pop(ticket, None)
            if task is not None:
                return node, task
        return None

    def finish(self, node: str, ticket: int) -> Task | None:
        """Note a result; return whose it is, or None if it was cancelled meanwhile."""
        member = self.members.get(node)
        return None if member is None else member.running.pop(ticket, None)

    def lose(self, node: str) -> list[Task]:
        """Drop a node; its trials wait again, before all others. Return those to be given up."""
        member = self.members.pop(node, None)
        given_up = []
        for task in reversed([] if member is None else list(member.running.values())):
            task.losses += 1
            if task.losses >= MOST_LOSSES:
                given_up.append(task)
            else:
                self._waiting.appendleft(task)
        return given_up


def share_slots(fits: Mapping[str, int], workers: int) -> dict[str, int]:
    """Deal `workers` slots out to nodes, one at a time in turn, no more to each than fits it."""
    shares = dict.fromkeys(fits, 0)
    while workers > 0:
        open_nodes = [node for node in fits if shares[node] < fits[node]]
        if not open_nodes:
            break
        for node in open_nodes[:workers]:
            shares[node] += 1
        workers -= len(open_nodes[:workers])
    return {node: share for node, share in shares.items() if share > 0}
