"""What a comparison found, and what may be said about it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.compare.statistics import (
    interquartile_mean,
    interval,
    probability_above,
    resamples,
)

RANDOM = "random"


@dataclass(frozen=True)
class Comparison:
    """Best-so-far curves of agents that met the same seeds.

    Attributes:
        space: Name of the space.
        trainer: "mock" or "table".
        agents: In the order of asking, random search among them.
        evaluations: Budgets, ascending.
        seeds: Number of seeds.
        curves: (agent, metric) -> the metric of the network recommended after 1, 2, ...
            evaluations, [seeds, evaluations].
    """

    space: str
    trainer: str
    agents: tuple[str, ...]
    evaluations: tuple[int, ...]
    seeds: int
    curves: dict[tuple[str, str], np.ndarray]

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was reported, the first one leading."""
        return tuple(dict.fromkeys(metric for _, metric in self.curves))

    def values(self, agent: str, metric: str, evaluations: int) -> np.ndarray:
        """Return one number per seed: the metric of what was recommended after so many."""
        return self.curves[agent, metric][:, evaluations - 1]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per agent, budget and metric: mean, spread and interval over seeds."""
        weights = resamples(self.seeds)
        return [
            self._row(agent, budget, metric, weights)
            for agent in self.agents
            for budget in self.evaluations
            for metric in self.metrics
        ]

    def _row(self, agent: str, budget: int, metric: str, weights: np.ndarray) -> dict[str, Any]:
        values = self.values(agent, metric, budget)
        low, high = interval(values, weights)
        return {
            "agent": agent,
            "space": self.space,
            "evaluations": budget,
            "seeds": self.seeds,
            "metric": metric,
            "mean": float(values.mean()),
            "std": float(values.std(ddof=1)) if self.seeds > 1 else 0.0,
            "ci_low": float(low),
            "ci_high": float(high),
        }

    def interquartile_means(self) -> list[dict[str, Any]]:
        """Return a row per agent, budget and metric: the mean of the middle half of the seeds."""
        return [
            {
                "agent": agent,
                "evaluations": budget,
                "metric": metric,
                "iqm": interquartile_mean(self.values(agent, metric, budget)),
            }
            for agent in self.agents
            for budget in self.evaluations
            for metric in self.metrics
        ]

    def pairs(self) -> list[dict[str, Any]]:
        """Return a row per two agents, budget and metric, seed against the same seed.

        ``difference`` is the mean of agent minus other with its interval, ``probability`` that
        the agent is above the other.
        """
        weights = resamples(self.seeds)
        return [
            self._pair(agent, other, budget, metric, weights)
            for agent in self.agents
            for other in self.agents
            for budget in self.evaluations
            for metric in self.metrics
            if agent != other
        ]

    def _pair(
        self, agent: str, other: str, budget: int, metric: str, weights: np.ndarray
    ) -> dict[str, Any]:
        ours, theirs = (self.values(name, metric, budget) for name in (agent, other))
        low, high = interval(ours - theirs, weights)
        return {
            "agent": agent,
            "other": other,
            "evaluations": budget,
            "metric": metric,
            "difference": float((ours - theirs).mean()),
            "ci_low": float(low),
            "ci_high": float(high),
            "probability": probability_above(ours, theirs),
        }

    def verdicts(self) -> list[str]:
        """Return a sentence per agent and budget about it and random search.

        An agent beats random search where the interval of the mean paired difference lies
        above zero. Only the first metric is judged: of others, such as costs, more may be worse.
        """
        return [
            _sentence(pair)
            for pair in self.pairs()
            if pair["other"] == RANDOM and pair["metric"] == self.metrics[0]
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the curves as JSON values."""
        return {
            "rows": self.rows(),
            "pairs": self.pairs(),
            "interquartile_means": self.interquartile_means(),
            "verdicts": self.verdicts(),
            "trainer": self.trainer,
        }


def _sentence(pair: dict[str, Any]) -> str:
    verb = "beats" if pair["ci_low"] > 0.0 else "does not beat"
    return (
        f"{pair['agent']} {verb} random search (P = {pair['probability']:.2f}) after "
        f"{pair['evaluations']} evaluations: {pair['metric']} {pair['difference']:+.4f} "
        f"[{pair['ci_low']:+.4f}, {pair['ci_high']:+.4f}]"
    )
