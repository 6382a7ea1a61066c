"""Importing a table of texts: split, vocabulary of the training texts, tokens of one length."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_core.datasets.manifest import SPLITS
from nas_core.datasets.pool import Dropped, require_classes
from nas_core.datasets.splitting import PART, TRAIN, carve, check_train
from nas_core.datasets.store import DatasetInfo, Split, write_dataset
from nas_core.datasets.text_tables import TextRow, read_text_table
from nas_core.datasets.vocabulary import MOST_WORDS, build_vocabulary, encode, words_of
from nas_core.errors import DataError, UsageError

PERCENTILE = 99  # of the training texts' lengths: the rest loses its end
LONGEST = 128
STEP = 8  # lengths are multiples of it, so that pooling divides them


@dataclass(frozen=True)
class TextOptions:
    """How texts become tokens.

    Attributes:
        words: Tokens at most, padding and unknown words among them, 3 to 65,536.
        min_count: Times that a word occurs in the training texts to become one, at least 1.
        length: Positions, 1 to 4,096; None for one that 99 % of the training texts fit into, a
            multiple of 8 up to 128.

    Raises:
        UsageError: On construction, if a value is out of range.
    """

    words: int = 8000
    min_count: int = 2
    length: int | None = None

    def __post_init__(self) -> None:
        if not 3 <= self.words <= MOST_WORDS:
            raise UsageError(f"expected 3 to {MOST_WORDS} words, received {self.words}: try 8000")
        if self.min_count < 1:
            raise UsageError(f"expected a min_count of 1 or more, received {self.min_count}")
        if self.length is not None and not 1 <= self.length <= 4096:
            raise UsageError(f"expected a length from 1 to 4096, received {self.length}: try 64")


@dataclass
class _Texts:
    """Texts on their way: words and label of each, the line it stood in, codes of the splits."""

    words: list[tuple[str, ...]]
    labels: np.ndarray
    lines: list[int]
    codes: np.ndarray
    classes: tuple[str, ...]

    def kept(self, keep: np.ndarray) -> "_Texts":
        """Return those where bool [N] `keep` is true."""
        chosen = np.flatnonzero(keep).tolist()
        return _Texts(
            [self.words[k] for k in chosen],
            self.labels[keep],
            [self.lines[k] for k in chosen],
            self.codes[keep],
            self.classes,
        )


def import_texts(
    source: Path,
    out: Path,
    options: TextOptions,
    name: str | None,
    seed: int,
    dropped: Dropped,
) -> tuple[DatasetInfo, int]:
    """Import a table of texts into a new data set folder.

    Args:
        source: See `text_tables.read_text_table`.
        out: The new folder.
        options: Vocabulary and length.
        name: The data set's name; `out`'s last part when None.
        seed: Which division; a supplied split is kept.
        dropped: Receives empty texts, copies on two sides of the split, and texts with two labels.

    Returns:
        The data set and the number of rows found.

    Raises:
        DataError: The table cannot be used.
    """
    rows = read_text_table(source)
    texts = _divided(_gathered(rows, source, dropped), seed, dropped)
    training = [w for w, code in zip(texts.words, texts.codes, strict=True) if code == TRAIN]
    vocabulary = build_vocabulary(training, options.words, options.min_count)
    length = _length(training) if options.length is None else options.length
    tokens = encode(texts.words, vocabulary, length)
    keep = _on_one_side(tokens, texts, dropped)
    if 2 * keep.sum() < len(keep):
        raise DataError(
            f"expected texts that known words tell apart, received {len(keep) - keep.sum()} of "
            f"{len(keep)} in {source} that look like texts of another split: give more texts"
        )
    texts, tokens = texts.kept(keep), tokens[keep]
    check_train(texts.labels, texts.classes, texts.codes)
    splits = {
        split: Split(tokens[texts.codes == code], texts.labels[texts.codes == code])
        for code, split in enumerate(SPLITS)
    }
    words = f"imported from {source.name}"
    info = write_dataset(out, splits, texts.classes, words, name, dropped.summary(), vocabulary)
    return info, len(rows)


def _gathered(rows: Sequence[TextRow], source: Path, dropped: Dropped) -> _Texts:
    """Cut texts into words; leave out empty ones."""
    found = [(row, tuple(words_of(row.text))) for row in rows]
    for row, words in found:
        if not words:
            dropped.add("empty text", f"line {row.line}")
    found = [(row, words) for row, words in found if words]
    classes = _classes({row.label for row, _ in found})
    require_classes(classes, str(source))
    numbers = {label: number for number, label in enumerate(classes)}
    return _Texts(
        [words for _, words in found],
        np.array([numbers[row.label] for row, _ in found], np.int64),
        [row.line for row, _ in found],
        np.array([-1 if row.split is None else row.split for row, _ in found]),
        classes,
    )


def _classes(labels: set[str]) -> tuple[str, ...]:
    """Return class names in order, numbers by value."""
    numbers = all(label.isdecimal() for label in labels)
    return tuple(sorted(labels, key=(lambda x: (int(x), x)) if numbers else None))


def _divided(texts: _Texts, seed: int, dropped: Dropped) -> _Texts:
    """Keep the supplied split and carve what it lacks out of train; copies stay together."""
    supplied = bool((texts.codes >= 0).all())
    if not supplied:
        texts = texts.kept(_of_one_label(texts, dropped))
        texts.codes[:] = TRAIN
    first: dict[tuple[str, ...], int] = {}
    group = np.array([first.setdefault(words, n) for n, words in enumerate(texts.words)])
    for part in PART:
        if not np.any(texts.codes == part):
            texts.codes = carve(texts.labels, texts.classes, texts.codes, group, part, seed)
    return texts


def _of_one_label(texts: _Texts, dropped: Dropped) -> np.ndarray:
    """Return bool [N]: which texts occur with one label only."""
    labels: dict[tuple[str, ...], set[int]] = {}
    for words, label in zip(texts.words, texts.labels.tolist(), strict=True):
        labels.setdefault(words, set()).add(label)
    keep = np.array([len(labels[words]) == 1 for words in texts.words])
    for number in np.flatnonzero(~keep).tolist():
        dropped.add("the same text carries two labels", f"line {texts.lines[number]}")
    return keep


def _on_one_side(tokens: np.ndarray, texts: _Texts, dropped: Dropped) -> np.ndarray:
    """Return bool [N] without texts whose tokens occur in a later split (train, validation, test).

    Test texts always stay, so that results can be compared with published ones.
    """
    rows = [row.tobytes() for row in tokens]
    latest: dict[bytes, int] = {}
    for row, code in zip(rows, texts.codes.tolist(), strict=True):
        latest[row] = max(code, latest.get(row, TRAIN))
    keep = np.array([latest[row] for row in rows]) == texts.codes
    for number in np.flatnonzero(~keep).tolist():
        split = SPLITS[latest[rows[number]]]
        dropped.add(f"a copy is in the {split} split", f"line {texts.lines[number]}")
    return keep


def _length(training: Sequence[Sequence[str]]) -> int:
    wanted = float(np.percentile([len(words) for words in training], PERCENTILE))
    return min(LONGEST, math.ceil(wanted / STEP) * STEP)


def token_statistics(tokens: np.ndarray, words: int) -> Mapping[str, float]:
    """Return what is known of tokens uint16 [N, length, 1, 1].

    Args:
        tokens: Of the training texts.
        words: Size of the vocabulary.

    Returns:
        words, mean_length (in words, cut to the length) and unknown, the share of unknown words.
    """
    counts = np.bincount(tokens.ravel(), minlength=words)
    said = int(counts[1:].sum())
    return {
        "words": words,
        "mean_length": said / len(tokens),
        "unknown": float(counts[1] / max(said, 1)),
    }
