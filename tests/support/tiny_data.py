"""A data set that a network learns in a second."""

from pathlib import Path

import numpy as np

from nas_core.datasets import DatasetInfo, Split, write_dataset

CLASSES = ("dark", "gray", "light")


def write_tiny(folder: Path) -> DatasetInfo:
    """Write 3 classes of 8x8 images that differ in brightness."""
    rng = np.random.default_rng(0)
    splits = {}
    for name, per_class in (("train", 40), ("validation", 12), ("test", 12)):
        labels = np.repeat(np.arange(3), per_class).astype(np.int32)
        base = np.array([40, 120, 200])[labels][:, None, None, None]
        noise = rng.integers(-30, 31, (len(labels), 8, 8, 3))
        splits[name] = Split(np.clip(base + noise, 0, 255).astype(np.uint8), labels)
    return write_dataset(folder, splits, CLASSES, source="test")
