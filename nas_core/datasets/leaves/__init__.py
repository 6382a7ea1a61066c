"""The synthetic data set *leaves*: 4,000 RGB images 64x64, ten species, made from a seed.

Everything is drawn in whole numbers, so a seed gives the same bytes on every machine; a test pins
the SHA-256. The species differ in outline, margin and venation; colour, pose, light, background
and blemishes vary alike in all, so that neither colour nor the average picture tells them apart.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np

from nas_core.datasets.leaves.fixed import Draws
from nas_core.datasets.leaves.plant import grow
from nas_core.datasets.leaves.scene import SIZE, photograph
from nas_core.datasets.leaves.species import SPECIES
from nas_core.datasets.manifest import SPLITS
from nas_core.datasets.store import DatasetInfo, Split, require_new, write_dataset
from nas_core.errors import UsageError

VERSION = 1
PER_CLASS = 400
BATCH = 40
THREADS = min(4, os.cpu_count() or 1)
CLASSES = tuple(species.name for species in SPECIES)


def generate(seed: int, per_class: int = PER_CLASS) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images.

    Args:
        seed: 0 or above.
        per_class: Images of each species; fewer give the first ones of more.

    Returns:
        Images uint8 [N, 64, 64, 3] and labels int32 [N]; N = 10 per_class, and the species take
        turns, so that any stretch of images is balanced.
    """
    images = np.empty((per_class, len(SPECIES), SIZE, SIZE, 3), np.uint8)

    def draw(batch: tuple[int, int]) -> None:
        label, start = batch
        numbers = np.arange(start, min(start + BATCH, per_class))
        draws = Draws(seed, numbers * 1000 + label)
        images[numbers, label] = photograph(grow(SPECIES[label], draws), draws)

    batches = product(range(len(SPECIES)), range(0, per_class, BATCH))
    # A picture depends on its own number alone, so threads change the time and nothing else.
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        list(pool.map(draw, batches))
    labels = np.tile(np.arange(len(SPECIES), dtype=np.int32), per_class)
    return images.reshape(-1, SIZE, SIZE, 3), labels


def write_leaves(out: Path | str, seed: int = 0, per_class: int = PER_CLASS) -> DatasetInfo:
    """Generate the data set into a new folder, divided 70/15/15 with equal classes.

    Raises:
        DataError: The folder exists.
        UsageError: A negative seed, or fewer than 7 images a class.
    """
    if seed < 0 or per_class < 7:
        raise UsageError(
            f"expected a seed of 0 or more and at least 7 images a class, received seed {seed} and "
            f"{per_class}: change them"
        )
    require_new(Path(out))
    images, labels = generate(seed, per_class)
    ends = np.array([0, 70, 85, 100]) * per_class // 100 * len(SPECIES)
    splits = {
        name: Split(images[start:end], labels[start:end])
        for name, start, end in zip(SPLITS, ends[:-1], ends[1:], strict=True)
    }
    source = f"synthetic leaves, generator version {VERSION}, seed {seed}"
    return write_dataset(out, splits, CLASSES, source, "leaves")
