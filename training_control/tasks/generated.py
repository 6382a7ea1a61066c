"""Small generated tasks for meta-training. Each data seed is another problem of the same kind."""

from collections.abc import Callable

import numpy as np

from nas_core.seeding import generator
from training_control.data import Examples, TrainingData, assembled

COUNTS = (320, 160, 160)  # train, validation, test
FEATURES = 12
SIDE = 12  # pixels
GLYPHS = 6  # pixels of a glyph's side
CENTRE = (SIDE - GLYPHS) // 2
SHAPES = 6
LENGTH = 16  # words
FLIPPED = 0.05  # share of wrong labels, so that no training ends at a loss of 0

GOOD = ("good", "great", "lovely", "clever", "moving", "fresh", "fine", "warm")
BAD = ("bad", "dull", "awful", "flat", "tired", "noisy", "poor", "cold")
PLAIN = ("the", "film", "plot", "actor", "scene", "story", "was", "is", "and", "very", "a", "it")
NOT = ("not", "never")
WORDS = ("<padding>", *GOOD, *BAD, *NOT, *PLAIN)


def _parts(inputs: np.ndarray, targets: np.ndarray, classes: int | None) -> TrainingData:
    stops = np.cumsum(COUNTS)[:-1]
    pairs = zip(np.split(inputs, stops), np.split(targets, stops), strict=True)
    vocabulary = len(WORDS) if inputs.dtype == np.int32 else None
    return assembled((Examples(x, y) for x, y in pairs), classes, vocabulary)


def _noisy(labels: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    wrong = rng.random(len(labels)) < FLIPPED
    return np.where(wrong, rng.integers(classes, size=len(labels)), labels).astype(np.int32)


def tables(seed: int) -> TrainingData:
    """Rows of numbers, float32 [N, 12], labelled by a random network; 2 to 4 classes."""
    rng = generator(seed, "generated tables")
    classes = int(rng.integers(2, 5))
    rows = rng.normal(size=(sum(COUNTS), FEATURES)) * rng.uniform(0.3, 3.0, FEATURES)
    hidden = np.tanh(rows @ rng.normal(size=(FEATURES, 16)) / np.sqrt(FEATURES))
    scores = hidden @ rng.normal(size=(16, classes))
    labels = (scores - np.median(scores, 0)).argmax(1)
    return _parts(rows.astype(np.float32), _noisy(labels, classes, rng), classes)


def digits(seed: int) -> TrainingData:
    """Images like digits, uint8 [N, 12, 12, 1]: six random glyphs, shifted, scaled and noisy."""
    rng = generator(seed, "generated digits")
    glyphs = rng.random((SHAPES, GLYPHS, GLYPHS)) < 0.45
    labels = rng.integers(SHAPES, size=sum(COUNTS))
    images = rng.normal(0.0, rng.uniform(10.0, 40.0), (len(labels), SIDE, SIDE))
    for image, label, (top, left), ink in zip(
        images,
        labels,
        CENTRE + rng.integers(-1, 2, size=(len(labels), 2)),
        rng.uniform(80.0, 220.0, len(labels)),
        strict=True,
    ):
        image[top : top + GLYPHS, left : left + GLYPHS] += ink * glyphs[label]
    pixels = np.clip(images, 0, 255).astype(np.uint8)[..., None]
    return _parts(pixels, _noisy(labels, SHAPES, rng), SHAPES)


def reviews(seed: int) -> TrainingData:
    """Sentences from templates, tokens int32 [N, 16]: the sign of their words, turned by "not"."""
    rng = generator(seed, "generated reviews")
    rows: list[list[int]] = []
    labels: list[int] = []
    while len(rows) < sum(COUNTS):
        words = [str(word) for word in rng.choice(PLAIN, int(rng.integers(4, 9)))]
        total = 0
        for _ in range(int(rng.integers(1, 4))):
            good, turned = rng.random() < 0.5, rng.random() < 0.25
            total += 1 if good != turned else -1
            said = [str(rng.choice(GOOD if good else BAD))]
            place = int(rng.integers(len(words) + 1))
            words[place:place] = [str(rng.choice(NOT)), *said] if turned else said
        if total != 0:
            tokens = [WORDS.index(word) for word in words][:LENGTH]
            rows.append([0] * (LENGTH - len(tokens)) + tokens)
            labels.append(int(total > 0))
    return _parts(np.array(rows, np.int32), _noisy(np.array(labels), 2, rng), 2)


def curves(seed: int) -> TrainingData:
    """A regression: a sum of waves of two of four inputs, float32 [N, 4], with noise."""
    rng = generator(seed, "generated curves")
    x = rng.uniform(-2.0, 2.0, (sum(COUNTS), 4))
    waves = [np.sin(rng.uniform(1.0, 3.0) * x[:, k] + rng.uniform(0, 6.3)) for k in (0, 1)]
    y = waves[0] + rng.uniform(0.3, 1.0) * waves[1] + 0.1 * rng.normal(size=len(x))
    return _parts(x.astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32), None)


GENERATED: dict[str, tuple[str, str, Callable[[int], TrainingData]]] = {
    "generated-tables": ("tabular", "mlp", tables),
    "generated-digits": ("image", "cnn", digits),
    "generated-reviews": ("text", "bilstm", reviews),
    "generated-curves": ("regression", "mlp", curves),
}
