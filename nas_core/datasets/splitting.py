"""Dividing a pool into train, validation and test: stratified, with duplicates on one side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_core.datasets.duplicates import Duplicates, exact_pairs, find_duplicates, groups
from nas_core.datasets.manifest import SPLITS
from nas_core.datasets.pool import Dropped, Pool
from nas_core.datasets.store import Split
from nas_core.errors import DataError
from nas_core.seeding import generator

TRAIN, VALIDATION, TEST = range(3)
# Parts of every class in hundredths, taken in this order; the rest is for training.
PART = {TEST: 15, VALIDATION: 15}
# A group of near-duplicates above this part of all images (in hundredths) and this number says that
# the pictures are alike by nature (parts photographed in place), not copies of one another.
ALIKE = 10
ALIKE_IMAGES = 20


@dataclass(frozen=True)
class Divided:
    """The three splits by name, and notes for the report, one sentence each."""

    splits: dict[str, Split]
    notes: list[str]


def divide(pool: Pool, seed: int, dropped: Dropped) -> Divided:
    """Divide 70/15/15, or keep the supplied split and carve only what it lacks out of train.

    Args:
        pool: All images.
        seed: Which of the possible divisions.
        dropped: Receives the pictures that carry two labels (only where nothing was supplied).

    Raises:
        DataError: A class has too few images, or a supplied split has no training images of one.
    """
    notes: list[str] = []
    if pool.split is None:
        pool, group = _grouped(pool, dropped, notes)
        codes = np.full(len(pool.labels), TRAIN)
        lacking = {TEST, VALIDATION}
    else:
        codes = pool.split.astype(np.int64)
        _note_copies(pool, notes)
        lacking = {part for part in PART if not np.any(codes == part)}
        inside = np.flatnonzero(codes == TRAIN)
        group = np.arange(len(codes))
        if lacking:
            found = find_duplicates(pool.images[inside])
            group[inside] = inside[_bounded_groups(len(inside), found, notes)]
    for part in (part for part in PART if part in lacking):
        codes = carve(pool.labels, pool.classes, codes, group, part, seed)
    check_train(pool.labels, pool.classes, codes)
    return Divided({name: _take(pool, codes == part) for part, name in enumerate(SPLITS)}, notes)


def _take(pool: Pool, chosen: np.ndarray) -> Split:
    return Split(pool.images[chosen], pool.labels[chosen].astype(np.int32))


def _grouped(pool: Pool, dropped: Dropped, notes: list[str]) -> tuple[Pool, np.ndarray]:
    """Drop pictures that carry two labels; return the rest and each image's group."""
    found = find_duplicates(pool.images)
    pairs = found.pairs
    conflict = (pairs[:, 2] == 1) & (pool.labels[pairs[:, 0]] != pool.labels[pairs[:, 1]])
    bad = np.unique(pairs[conflict, :2])
    for number in bad.tolist():
        dropped.add("the same picture carries two labels", pool.names[number])
    keep = np.setdiff1d(np.arange(len(pool.labels)), bad)
    renumber = np.full(len(pool.labels), -1)
    renumber[keep] = np.arange(len(keep))
    pairs = np.column_stack([renumber[pairs[:, 0]], renumber[pairs[:, 1]], pairs[:, 2]])
    pairs = pairs[(pairs[:, :2] >= 0).all(axis=1)]
    pool = Pool(
        pool.images[keep], pool.labels[keep], pool.classes, [pool.names[k] for k in keep.tolist()]
    )
    return pool, _bounded_groups(len(keep), Duplicates(pairs, found.near), notes)


def _bounded_groups(count: int, found: Duplicates, notes: list[str]) -> np.ndarray:
    """Return each image's group, int64 [count]: what must stay on one side of the split."""
    group = groups(count, found.pairs)
    sizes = np.bincount(group, minlength=count)
    near = found.near
    if near and sizes.max(initial=0) > max(ALIKE * count // 100, ALIKE_IMAGES):
        near = False
        group = groups(count, found.pairs[found.pairs[:, 2] == 1])
        sizes = np.bincount(group, minlength=count)
    if not near:
        notes.append(
            "the images are too many, or too alike by nature, to look for near-duplicates: only "
            "copies of one picture are kept on one side of the split"
        )
    many = sizes[sizes > 1]
    if many.size:
        kind = "duplicates or near-duplicates" if near else "duplicates"
        notes.append(
            f"{many.sum()} images in {many.size} groups of {kind} are kept on one side of the split"
        )
    return group


def _note_copies(pool: Pool, notes: list[str]) -> None:
    """Say how many exact copies a supplied split has on two sides; it is kept as supplied."""
    pairs = exact_pairs(pool.images)
    sides = pool.split
    if sides is None:
        return
    across = int((sides[pairs[:, 0]] != sides[pairs[:, 1]]).sum())
    labels = int((pool.labels[pairs[:, 0]] != pool.labels[pairs[:, 1]]).sum())
    if across or labels:
        notes.append(
            f"the supplied split is kept although {across} exact copies cross it and {labels} "
            "carry two labels"
        )


def carve(
    labels: np.ndarray,
    classes: Sequence[str],
    codes: np.ndarray,
    group: np.ndarray,
    part: int,
    seed: int,
) -> np.ndarray:
    """Move a stratified part of train, in whole groups, to another split.

    Args:
        labels: Whole numbers [N], indices into `classes`.
        classes: Class names.
        codes: Each example's split [N]: 0 train, 1 validation, 2 test.
        group: Each example's group [N].
        part: VALIDATION or TEST.
        seed: Which of the possible divisions.

    Returns:
        The new codes [N].

    Raises:
        DataError: A class has too few different examples.
    """
    codes = codes.copy()
    for label, name in enumerate(classes):
        members = np.flatnonzero((labels == label) & (codes == TRAIN))
        heads, sizes = np.unique(group[members], return_counts=True)
        order = generator(seed, f"divide {SPLITS[part]}", label).permutation(len(heads))
        target = max(1, (PART[part] * int((labels == label).sum()) + 50) // 100)
        taken = _fit(sizes[order], target)
        if not taken.any() or len(heads) < 2:
            raise DataError(
                f"expected at least 3 different examples of every class to split, received "
                f"{len(heads)} to divide further of class {name!r}: add some or take it away"
            )
        codes[np.isin(group, heads[order][taken]) & (codes == TRAIN)] = part
    return codes


def _fit(sizes: np.ndarray, target: int) -> np.ndarray:
    """Choose groups in order that fit into `target` images: bool mask; else the smallest one."""
    chosen = np.zeros(len(sizes), bool)
    room = target
    for number, size in enumerate(sizes.tolist()):
        if size <= room:
            chosen[number] = True
            room -= size
    if len(sizes) and (not chosen.any() or chosen.all()):
        chosen[:] = np.arange(len(sizes)) == sizes.argmin()
    return chosen


def check_train(labels: np.ndarray, classes: Sequence[str], codes: np.ndarray) -> None:
    """Refuse a division without training examples of some class; arguments as for `carve`.

    Raises:
        DataError: Naming the class.
    """
    counts = np.bincount(labels[codes == TRAIN], minlength=len(classes))
    if counts.min() == 0:
        raise DataError(
            f"expected training examples of every class, received none of class "
            f"{classes[int(counts.argmin())]!r}: add some or take the class away"
        )
