"""The checks of an agent. Each recognises a mistake by what the agent does, and names it.

The mistakes are those of published code: actions taken by argmax, rewards that multiply the
log-probabilities of other actions, a baseline that already contains the reward, decisions that
are never reached, failures that are forgotten, results credited to another proposal.
"""

import json
import random
from collections import Counter
from collections.abc import Callable

import numpy as np

from nas_core.agent import Agent, Proposal
from nas_core.doctor.findings import Finding, Verdict, failed, passed
from nas_core.doctor.problems import Problem, bandit, constant, failing, graph
from nas_core.doctor.subject import Subject, play, scored
from nas_core.errors import SpecError
from nas_core.space import spec_of

TRIALS = 400
# Of the way from uniform decisions to the best, at the end of a search: agents that propose the
# neighbours of good networks stay far from 1, uniform decisions are within 0.05 of 0.
SHARE_LEARNED, SHARE_AGAINST = 0.05, -0.1
MOST_FAILURES = 0.13  # share at the end, where uniform decisions have 0.2
PROBES = 6  # times 100 proposals, to see whether a policy has moved at all
RIGHT_ARMS = (3, 0, 2)  # one lucky guess proves nothing


def _actions(proposals: list[Proposal]) -> list[tuple[int, ...]]:
    return [tuple(item.actions) for item in proposals]


def masks(subject: Subject) -> Finding:
    """Every proposal is a complete sequence of legal decisions, and its network is theirs."""
    problem, check = constant(), "masks"
    proposals = play(subject.make(problem.space, 0, TRIALS), problem, TRIALS)
    for number, item in enumerate(proposals):
        try:
            right = spec_of(problem.space, item.actions).digest == item.spec.digest
        except SpecError as error:
            return failed(check, "illegal decisions", f"trial {number}: {error}")
        if not right:
            return failed(
                check, "network of other decisions", f"trial {number} proposes {item.spec}"
            )
        if item.trial != number:
            return failed(check, "wrong trial numbers", f"trial {number} calls itself {item.trial}")
    return passed(check)


def sampling(subject: Subject) -> Finding:
    """Where nothing is to be learned, every decision is still reached."""
    problem, check = constant(), "sampling"
    if len(set(_actions(subject.make(problem.space, 0, TRIALS).suggest(40)))) == 1:
        message = "a fresh agent proposes one and the same 40 times: actions are not drawn"
        return failed(check, "argmax sampling", message)
    proposals = _actions(play(subject.make(problem.space, 0, TRIALS), problem, TRIALS))
    reached = {actions[:end] for actions in proposals for end in range(1, 1 + len(actions))}
    missed = [
        (*node, action)
        for node in problem.space.nodes()
        for action in np.flatnonzero(problem.space.legal(node)).tolist()
        if (*node, action) not in reached
    ]
    if missed:
        return failed(check, "unreachable decisions", f"never proposed: {missed[0]}")
    return passed(check)


def seeds(subject: Subject) -> Finding:
    """The seed, and nothing else, decides what is proposed."""
    problem, check = bandit(RIGHT_ARMS[0]), "seeds"
    before = _global_states()
    runs = [
        _actions(play(subject.make(problem.space, seed, 60), problem, 60)) for seed in (1, 1, 2)
    ]
    if runs[0] != runs[1] or _global_states() != before:
        return failed(check, "global randomness", "it draws from a generator that all share")
    if runs[0] == runs[2]:
        return failed(check, "seed ignored", "two seeds gave the same proposals")
    return passed(check)


def _global_states() -> tuple[object, str]:
    keys = np.random.get_state(legacy=False)["state"]
    return random.getstate(), repr(keys)


def asking(subject: Subject) -> Finding:
    """Proposals do not depend on how many are asked for at once: suggesting learns nothing."""
    space, check = bandit(0).space, "asking"
    one, other = (subject.make(space, 0, TRIALS) for _ in range(2))
    together = one.suggest(4)
    apart = [item for _ in range(4) for item in other.suggest(1)]
    if _actions(together) != _actions(apart):
        return failed(check, "suggest changes the agent", "4 together are not 4 one by one")
    return passed(check)


def resuming(subject: Subject) -> Finding:
    """An agent goes on exactly from its stored state."""
    problem, check = bandit(RIGHT_ARMS[0]), "resuming"
    agent = subject.make(problem.space, 0, TRIALS)
    history = [scored(p, problem.score(p.actions)) for p in play(agent, problem, 5 * agent.batch)]
    try:
        state = json.loads(json.dumps(agent.state(), allow_nan=False))
    except (TypeError, ValueError) as error:
        return failed(check, "state is not JSON", str(error))
    other = subject.make(problem.space, 0, TRIALS)
    other.load_state(state, history)
    if _following(agent, problem) != _following(other, problem):
        return failed(check, "state is incomplete", "a resumed agent proposes something else")
    return passed(check)


def _following(agent: Agent, problem: Problem) -> list[tuple[int, ...]]:
    """Return what an agent proposes next, in three groups."""
    proposals = []
    for _ in range(3):
        group = agent.suggest(agent.batch)
        agent.observe([scored(item, problem.score(item.actions)) for item in group])
        proposals += group
    return _actions(proposals)


def _learned(subject: Subject, problem: Problem, seed: int, in_flight: int = 1) -> float:
    """Return the way from uniform decisions (0) to the best (1) that the last quarter has come."""
    agent = subject.make(problem.space, seed, TRIALS)
    last = play(agent, problem, TRIALS, in_flight)[-TRIALS // 4 :]
    mean = float(np.mean([scored(p, problem.score(p.actions)).reward for p in last]))
    uniform = problem.uniform_mean()
    return (mean - uniform) / (problem.best() - uniform)


def credit(subject: Subject) -> Finding:
    """The reward reaches the decisions that were evaluated: one right arm is found."""
    shares = [_learned(subject, bandit(right), seed) for seed, right in enumerate(RIGHT_ARMS)]
    return _judged("credit", shares, "re-sampled log-probabilities", "the reward does not reach")


def in_flight(subject: Subject) -> Finding:
    """Results that come late are credited to the proposals that they belong to."""
    shares = [_learned(subject, bandit(right), seed, 3) for seed, right in enumerate(RIGHT_ARMS)]
    bug = "results credited to other proposals"
    return _judged("in flight", shares, bug, "with three groups in flight the reward misses")


def optimum(subject: Subject) -> Finding:
    """The enumerated optimum of a small decision graph is approached."""
    shares = [_learned(subject, graph(), seed) for seed in range(3)]
    return _judged("optimum", shares, "credit along the sequence", "three decisions: it misses")


def _judged(check: str, shares: list[float], bug: str, words: str) -> Finding:
    """Return the finding of searches that came so far, from uniform decisions to the best."""
    text = ", ".join(f"{share:.0%}" for share in shares)
    if max(shares) < SHARE_AGAINST:
        return failed(check, "reward with the wrong sign", f"it moves away from the best: {text}")
    if min(shares) < SHARE_LEARNED:
        message = f"{words} the evaluated decisions: {text} of the way to the best"
        return failed(check, bug, message)
    return passed(check, f"{text} of the way to the best")


def failures(subject: Subject) -> Finding:
    """A network that always fails is proposed less and less."""
    shares = []
    for seed, wrong in enumerate(RIGHT_ARMS):
        problem = failing(wrong)
        proposals = play(subject.make(problem.space, seed, TRIALS), problem, TRIALS)[-150:]
        shares.append(float(np.mean([problem.score(p.actions) is None for p in proposals])))
    text = ", ".join(f"{share:.0%}" for share in shares)
    if float(np.mean(shares)) > MOST_FAILURES:
        message = f"{text} of the last proposals fail, uniform decisions: 20%"
        return failed("failures", "failures are forgotten", message)
    return passed("failures", f"{text} of the last proposals fail")


def baseline(subject: Subject) -> Finding:
    """The very first reward moves the policy: no baseline may contain it yet."""
    check, bug = "baseline", "baseline contains the reward"
    declared = bool(getattr(subject.make(bandit(0).space, 0, TRIALS), "baseline_first", False))
    contains = _reported_order(subject)
    if contains is None:
        moves = _after(subject, (0.0,)) != _after(subject, (0.9,))
        # Agents that compare networks need two; they do not ask by how much one is better.
        weighs = _after(subject, (0.3, 0.5, 0.2)) != _after(subject, (0.3, 0.9, 0.2))
        if not moves and not weighs:
            return Finding(check, Verdict.SKIPPED, message="first proposals ignore its size")
        contains = not moves
    if not contains:
        return passed(check)
    if declared:
        return Finding(check, Verdict.REPORTED, bug, "declared: baseline_first")
    return failed(check, bug, "the first reward is taken off itself and teaches nothing")


def _after(subject: Subject, rewards: tuple[float, ...]) -> Counter[tuple[int, ...]]:
    """Return many proposals after the first few got these rewards."""
    agent = subject.make(bandit(0).space, 0, TRIALS)
    for reward in rewards:
        agent.observe([scored(item, reward) for item in agent.suggest(1)])
    return Counter(_actions([item for _ in range(PROBES) for item in agent.suggest(100)]))


def _reported_order(subject: Subject) -> bool | None:
    """Whether the logged advantages are over a baseline with the reward in it; None if unknown."""
    agent, before, contains = subject.make(bandit(0).space, 0, TRIALS), 0.0, []
    for reward in (0.4, 0.9, 0.1, 0.6):
        metrics = agent.observe([scored(item, reward) for item in agent.suggest(1)])
        after, advantage = metrics.get("baseline"), metrics.get("advantage")
        if after is None or advantage is None:
            return None
        over_after, over_before = reward - after, reward - before
        if not np.isclose(over_after, over_before):
            if not (np.isclose(advantage, over_after) or np.isclose(advantage, over_before)):
                return None
            contains.append(bool(np.isclose(advantage, over_after)))
        before = after
    return None if not contains else all(contains)


ALWAYS: tuple[Callable[[Subject], Finding], ...] = (masks, sampling, seeds, asking, resuming)
LEARNERS: tuple[Callable[[Subject], Finding], ...] = (
    baseline, credit, in_flight, optimum, failures,
)  # fmt: skip
