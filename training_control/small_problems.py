"""Small learning problems, many at a time: what the networks of `small_networks` learn.

A random network labels random inputs. Difficulty, noise, classes, examples and the size of the
inputs are drawn, so that some problems are learned in a few steps and others are only memorised.
"""

from dataclasses import dataclass, fields

import numpy as np

INPUTS = 10
CLASSES = 6  # at most
TRAIN, HELD = 384, 96  # examples at most, and on validation
TEACHER = 8  # hidden units of the network that labels
REGRESSIONS = 0.2  # share of the problems
OFF = -1e9  # logit of a class that a problem does not have


@dataclass(frozen=True, eq=False)
class Problems:
    """Several problems side by side; float32 where nothing else is said.

    Attributes:
        examples: Inputs, then targets: one-hot, or a regression's value and zeros,
            [N, TRAIN, INPUTS + CLASSES].
        held: The same for validation, [N, HELD, INPUTS + CLASSES].
        count: How many of the training examples there are, int [N].
        offsets: Added to the logits: 0, or `OFF` for classes that there are not, [N, 1, CLASSES].
        regression: bool [N].
    """

    examples: np.ndarray
    held: np.ndarray
    count: np.ndarray
    offsets: np.ndarray
    regression: np.ndarray

    def put(self, rows: np.ndarray, others: "Problems") -> None:
        """Replace some problems, int [rows], by others."""
        for item in fields(self):
            getattr(self, item.name)[rows] = getattr(others, item.name)

    def taken(self, rows: np.ndarray) -> "Problems":
        """Return a copy of some of them, int [rows]."""
        return Problems(*(getattr(self, item.name)[rows] for item in fields(self)))


def draw_problems(rng: np.random.Generator, count: int) -> Problems:
    """Draw problems."""
    inputs = rng.standard_normal((count, TRAIN + HELD, INPUTS))
    inputs *= 10 ** rng.uniform(-0.4, 0.4, (count, 1, INPUTS))
    scores = _scores(rng, inputs)
    inputs += 10 ** rng.uniform(-0.7, 0.7, (count, 1, 1)) * rng.standard_normal((count, 1, INPUTS))
    regression = rng.random(count) < REGRESSIONS
    classes = np.where(regression, 1, rng.integers(2, CLASSES + 1, count))
    offsets = np.where(np.arange(CLASSES) < classes[:, None], 0.0, OFF)[:, None, :]
    targets = _labels(rng, scores + offsets, classes)
    targets[regression] = _values(rng, scores[regression])
    examples = np.concatenate([inputs, targets], 2).astype(np.float32)
    return Problems(
        examples[:, :TRAIN].copy(),
        examples[:, TRAIN:].copy(),
        np.round(10 ** rng.uniform(1.8, np.log10(TRAIN), count)).astype(int),
        offsets.astype(np.float32),
        regression,
    )


def _scores(rng: np.random.Generator, inputs: np.ndarray) -> np.ndarray:
    """Return a random network's outputs, each of mean 0 and deviation 1, [N, examples, CLASSES]."""
    count = len(inputs)
    bend = 10 ** rng.uniform(-0.7, 0.5, (count, 1, 1))
    first = rng.standard_normal((count, INPUTS, TEACHER)) * bend / np.sqrt(INPUTS)
    hidden = np.tanh(inputs @ first + rng.standard_normal((count, 1, TEACHER)))
    scores = hidden @ rng.standard_normal((count, TEACHER, CLASSES))
    scores -= scores.mean(1, keepdims=True)
    scores /= scores.std(1, keepdims=True) + 1e-6
    return np.asarray(scores)


def _labels(rng: np.random.Generator, scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the best classes one-hot, some of them wrong: float32 like `scores`."""
    count, examples, _ = scores.shape
    wrong = rng.random((count, examples)) < rng.uniform(0.0, 0.2, (count, 1))
    other = (rng.random((count, examples)) * classes[:, None]).astype(int)
    labels = np.where(wrong, other, scores.argmax(2))
    return np.asarray(np.eye(CLASSES, dtype=np.float32)[labels])


def _values(rng: np.random.Generator, scores: np.ndarray) -> np.ndarray:
    """Return noisy values in the first column, float32 like `scores`."""
    noise = rng.uniform(0.05, 0.7, (len(scores), 1))
    values = scores[:, :, 0] + noise * rng.standard_normal(scores.shape[:2])
    targets = np.zeros(scores.shape, np.float32)
    targets[:, :, 0] = values / np.sqrt(1 + noise**2)
    return targets
