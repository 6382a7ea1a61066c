"""Text tasks: tables of texts, Keras, TFDS or Hugging Face, as tokens int32 [N, length]."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nas_core.datasets.text_tables import read_text_table
from nas_core.datasets.vocabulary import build_vocabulary, encode, words_of
from nas_core.errors import DataError
from training_control.data import Examples, TrainingData, assembled
from training_control.tasks.remote import fetch, is_remote
from training_control.tasks.sizes import UNKNOWN, Sizes, choose
from training_control.tasks.source import Source

Tokenise = Callable[[Sequence[str]], np.ndarray]


def load_texts(
    data: str,
    sizes: Sizes,
    seed: int,
    length: int,
    words: int,
    tokeniser: tuple[Tokenise, int] | None = None,
) -> TrainingData:
    """Return the tokens and labels of a task.

    Args:
        data: A table of texts (.csv, .tsv, also .gz) with the columns text, label and perhaps
            split, or keras:NAME, tfds:NAME, hf:NAME.
        sizes: Examples at most.
        seed: Which ones.
        length: Tokens of a text; padding stands in front.
        words: Size of the vocabulary, which is built from the chosen training texts.
        tokeniser: A pretrained model's own, and its vocabulary's size, in place of that.

    Raises:
        DataError: The source cannot be used.
    """
    source = fetch(data, "text") if is_remote(data) else _table(Path(data))
    chosen = choose(source.codes, sizes, seed)
    texts = [source.pick(places) for places in chosen]
    if tokeniser is None:
        cut = [[tuple(words_of(text)) for text in part] for part in texts]
        vocabulary = build_vocabulary(cut[0], words, 1)
        tokens = [encode(part, vocabulary, length)[:, :, 0, 0].astype(np.int32) for part in cut]
        size = len(vocabulary)
    else:
        tokens, size = [tokeniser[0](part) for part in texts], tokeniser[1]
    parts = [
        Examples(part, source.targets[places].astype(np.int32))
        for part, places in zip(tokens, chosen, strict=True)
    ]
    return assembled(parts, classes=source.classes, vocabulary=size)


def _table(path: Path) -> Source:
    if not path.is_file():
        raise DataError(f"expected a table of texts, received {path}, which is no file: check it")
    rows = read_text_table(path)
    names = sorted({row.label for row in rows})
    if len(names) < 2:
        raise DataError(f"expected two labels or more in {path}, received {names}: add texts")
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[row.label] for row in rows])
    codes = np.array([UNKNOWN if row.split is None else row.split for row in rows])
    return Source(labels, codes, len(names), lambda places: [rows[place].text for place in places])
