"""Small pictures for the import tests: distinct, reproducible, in folders by class."""

import io

import numpy as np
from PIL import Image


def picture(seed, size=40):
    """A smooth random picture: no two seeds correlate."""
    draws = np.random.default_rng(seed)
    small = draws.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def make_folder(root, classes=("cat", "dog"), count=20, kind="PNG", suffix=".png"):
    """Write `count` pictures for each class and return the folder."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            data = encoded(picture(1000 * label + number), kind)
            (root / name / f"{number:03d}{suffix}").write_bytes(data)
    return root
