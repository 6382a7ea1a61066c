"""What jobs will cost, and what they cost: seconds times a price from a table.

Prices are data: ``prices.json`` beside this file, or a file of the same form. Nothing is asked of
AWS, and nothing here is a bill.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from nas_core.cloud.settings import Cloud
from nas_core.errors import UsageError
from nas_core.files import read_json

TABLE = "prices.json"
START_SECONDS = 180.0  # an instance's container, packages and data: assumed, billed
SAMPLE = 32  # architectures whose mean is expected


@dataclass(frozen=True)
class Prices:
    """A price table.

    Attributes:
        date: When it was true.
        source: Where it is from.
        currency: Such as "USD".
        per_hour: Price of one instance by type.
    """

    date: str
    source: str
    currency: str
    per_hour: Mapping[str, float]

    def money(self, instance: str, seconds: float) -> float | None:
        """Return what so many seconds of an instance cost; None where its price is unknown."""
        hour = self.per_hour.get(instance)
        return None if hour is None else round(hour * seconds / 3600.0, 4)


@dataclass(frozen=True)
class Estimate:
    """What a command is expected to cost.

    Attributes:
        jobs: Number of jobs.
        instance: Type of each one's instance.
        expected_seconds: Of all jobs together; a model of children on leaves, not a promise.
        expected_money: None where the table lacks the instance.
        most_seconds: All jobs at their time limit: more cannot be billed.
        most_money: See `most_seconds`.
        currency: Of the money.
        prices: Date and source of the table.
    """

    jobs: int
    instance: str
    expected_seconds: float
    expected_money: float | None
    most_seconds: float
    most_money: float | None
    currency: str
    prices: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def read_prices(path: Path | None = None) -> Prices:
    """Return a price table.

    Args:
        path: A file like ``prices.json``; None for that.

    Raises:
        UsageError: It cannot be read or has another form.
    """
    where = Path(str(files("nas_core.cloud").joinpath(TABLE))) if path is None else path
    try:
        table = Prices(**read_json(where))
        usable = all(
            isinstance(price, int | float) and math.isfinite(price) and price >= 0
            for price in table.per_hour.values()
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"expected a price table like {TABLE}, received {where}: {error}"
        ) from error
    if not usable:
        raise UsageError(f"expected prices of 0 or more per_hour in {where}: correct them")
    return table


def estimate(cloud: Cloud, jobs: int, seconds: float, prices: Prices) -> Estimate:
    """Return what some jobs are expected to cost.

    Args:
        cloud: Instance and time limit.
        jobs: How many.
        seconds: Work of all jobs together, without their starts.
        prices: The table.
    """
    most = float(jobs * cloud.max_runtime)
    # Warm instances wait on our account.
    expected = min(seconds + jobs * START_SECONDS, most) + jobs * cloud.keep_alive
    most += jobs * cloud.keep_alive
    return Estimate(
        jobs,
        cloud.instance,
        round(expected, 1),
        prices.money(cloud.instance, expected),
        most,
        prices.money(cloud.instance, most),
        prices.currency,
        f"{prices.date}, {prices.source}",
    )


def child_seconds(space: str, preset: str, recipe: Mapping[str, Any] | None) -> float:
    """Return the mean seconds of a child on one thread, as the mock models them on leaves.

    Args:
        space: Registered name.
        preset: "quick" or "paper".
        recipe: Changes of the training recipe; its epochs count.
    """
    from nas_core.agents.random_search import ENTRY
    from nas_core.kinds import IMAGE, KINDS
    from nas_core.registry import build_space, space_entry
    from nas_core.trainer.base import Job
    from nas_core.trainer.mock import MockTrainer

    entry = space_entry(space)
    kind = KINDS[entry.kind or IMAGE.name]
    drawn = build_space(space, preset, kind.mock_shape, kind.mock_classes, kind.mock_words)
    mock = MockTrainer(kind.mock_shape, kind.mock_classes)
    proposals = ENTRY.build(drawn, 0, SAMPLE, preset).suggest(SAMPLE)
    mean = fmean(
        mock.score(item.spec, Job(number, number)).seconds for number, item in enumerate(proposals)
    )
    fitted, wanted = entry.recipe("quick"), entry.recipe(preset)
    wanted = wanted if recipe is None else wanted.changed(dict(recipe))
    return mean * wanted.epochs / fitted.epochs


def billed(rows: Iterable[Mapping[str, Any]], instance: str, prices: Prices) -> dict[str, Any]:
    """Return what jobs were billed.

    Args:
        rows: ``job``, ``trials`` (numbers), ``status``, ``instance`` (None for the usual one) and
            ``billed_seconds`` of each, None while the service does not know.
        instance: The usual type.
        prices: The table.

    Returns:
        ``instance``, ``currency``, ``prices``, ``jobs`` (each with its ``money``),
        ``billed_seconds``, ``money`` (None where a price is unknown), and ``trials``: a job's
        seconds shared by its trials, by number.
    """
    jobs = [{**row, "money": _money(row, instance, prices)} for row in rows]
    amounts = [row["money"] for row in jobs]
    trials: dict[str, float] = {}
    for row in jobs:
        for trial in row["trials"]:
            share = _seconds(row) / len(row["trials"])
            trials[str(trial)] = round(trials.get(str(trial), 0.0) + share, 1)
    return {
        "instance": instance,
        "currency": prices.currency,
        "prices": f"{prices.date}, {prices.source}",
        "billed_seconds": sum(map(_seconds, jobs)),
        "money": None if None in amounts else round(sum(amounts), 4),
        "jobs": jobs,
        "trials": trials,
    }


def _seconds(row: Mapping[str, Any]) -> float:
    known = row["billed_seconds"]
    return 0.0 if known is None else float(known)


def _money(row: Mapping[str, Any], usual: str, prices: Prices) -> float | None:
    own = row.get("instance")
    return prices.money(usual if own is None else own, _seconds(row))
