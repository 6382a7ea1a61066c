"""What a network's accuracy, curve and seconds will be like, fitted to real trainings on leaves.

The coefficients are in ``calibration.json`` beside this file, which
``benchmarks/mock_calibration.py`` writes, with the rank correlation that they reach on
architectures that they were not fitted to. Coefficients without such evidence are made up.

    share = 1 / (1 + exp(-(offset + sum_k weight_k term_k)))
    accuracy = chance + (ceiling - chance) * share

A term is a feature, a square or a product of two, each feature standardised and kept within
`REACH` standard deviations of the trainings' mean: beyond them nothing is known.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import exp, fsum
from typing import Any

import numpy as np

from nas_core.cost import Cost
from nas_core.spec import CellSpec, Spec

CALIBRATION = "calibration.json"
REACH = 2.5


@dataclass(frozen=True)
class Evidence:
    """How far a fit can be trusted, on architectures that it has not seen.

    Attributes:
        space: Where they come from.
        fitted: Number of trainings fitted.
        held_out: Number of other architectures.
        spearman: Rank correlation of prediction and training over the latter.
        retest: Rank correlation of two trainings of the same architectures with other seeds:
            more cannot be expected.
    """

    space: str
    fitted: int
    held_out: int
    spearman: float
    retest: float


@dataclass(frozen=True)
class Fit:
    """One type of specification's coefficients.

    Attributes:
        features: Names, in the order of `mean` and `scale`.
        mean: Of each feature over the trainings.
        scale: Its standard deviation, above 0.
        weights: Of the terms, in the order of `terms`.
        offset: Of the sum.
        ceiling: Accuracy that is never reached.
        noise: Standard deviation of a score over seeds.
        curve: Share of the way from chance to the score after each epoch.
        seconds: Of a training: constant part, and seconds for each multiply-add of the network.
        evidence: For each space.
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    offset: float
    ceiling: float
    noise: float
    curve: tuple[float, ...]
    seconds: tuple[float, float]
    evidence: tuple[Evidence, ...]


def standardised(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return features [..., F] in standard deviations from the mean, at most `REACH`."""
    return np.clip((values - mean) / scale, -REACH, REACH)


def terms(standard: np.ndarray) -> np.ndarray:
    """Return features, squares and products [..., F + F (F + 1) / 2] of features [..., F]."""
    first, second = np.triu_indices(standard.shape[-1])
    return np.concatenate([standard, standard[..., first] * standard[..., second]], axis=-1)


@lru_cache(maxsize=1)
def calibration() -> dict[str, Fit]:
    """Return the fits of chains and cells."""
    text = files("nas_core.trainer").joinpath(CALIBRATION).read_text()
    value = json.loads(text)
    return {kind: _fit(row) for kind, row in value["fits"].items()}


def _fit(row: dict[str, Any]) -> Fit:
    given: dict[str, Any] = {
        key: tuple(item) if isinstance(item, list) else item for key, item in row.items()
    }
    given["evidence"] = tuple(Evidence(**item) for item in row["evidence"])
    return Fit(**given)


def evidence_line(space: str) -> str:
    """Return what is known of the mock's truth in a space, in one line."""
    found = [row for fit in calibration().values() for row in fit.evidence if row.space == space]
    if not found:
        return f"the mock is not calibrated for {space}: its scores are made up"
    (row,) = found
    return (
        f"the mock is fitted to {row.fitted} trainings of {space} on leaves; rank correlation with "
        f"{row.held_out} others {row.spearman:.2f}, of two trainings of the same {row.retest:.2f}"
    )


def fit_of(spec: Spec) -> Fit:
    """Return the coefficients for a specification's type."""
    return calibration()["cell" if isinstance(spec, CellSpec) else "chain"]


def expected_accuracy(fit: Fit, found: Mapping[str, float], classes: int) -> float:
    """Return the accuracy before noise: from chance, 1 / classes, to the ceiling.

    Args:
        fit: Coefficients for this type of specification.
        found: Its features.
        classes: Number of classes; chance is what a useless network reaches.
    """
    values = np.array([found[name] for name in fit.features])
    row = terms(standardised(values, np.array(fit.mean), np.array(fit.scale)))
    # Summed exactly: the same on every processor.
    logit = fsum([fit.offset, *(row * np.array(fit.weights)).tolist()])
    share = 1.0 / (1.0 + exp(-logit))
    chance = 1.0 / classes
    return chance + (max(fit.ceiling, chance) - chance) * share


def expected_seconds(fit: Fit, figures: Cost) -> float:
    """Return the seconds that the training would take on one thread."""
    constant, per_mac = fit.seconds
    return constant + per_mac * figures.macs
