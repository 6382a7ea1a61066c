"""From texts to numbers and back: words, the vocabulary, and rows of tokens of one length.

Token 0 is padding, 1 an unknown word. Padding stands in front, so that a recurrent layer ends on
the text's last word; it is not masked, so that no layer needs to know of it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from nas_core.errors import DataError
from nas_core.files import read_json

PADDING, UNKNOWN = 0, 1
SPECIAL = ("<padding>", "<unknown>")  # no word of a text is written like these
MOST_WORDS = 1 << 16  # tokens are uint16
LONGEST_WORD = 40  # characters; what is longer is an address or noise
_TAG = re.compile(r"</?[a-z]+ ?/?>")
_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def words_of(text: str) -> list[str]:
    """Return a text's words and punctuation marks, lower-case; simple HTML tags are left out.

    Words are what blanks and punctuation separate: languages without blanks must be segmented.
    """
    return [word[:LONGEST_WORD] for word in _WORD.findall(_TAG.sub(" ", text.lower()))]


def build_vocabulary(texts: Iterable[Sequence[str]], most: int, min_count: int) -> tuple[str, ...]:
    """Return the words of all tokens, the most frequent first, equal ones by alphabet.

    Args:
        texts: Words of each training text.
        most: Tokens at most, padding and unknown among them.
        min_count: Times that a word must occur.
    """
    counts = Counter(word for text in texts for word in text)
    frequent = sorted(
        (word for word in counts if counts[word] >= min_count), key=lambda w: (-counts[w], w)
    )
    return (*SPECIAL, *frequent[: most - len(SPECIAL)])


def encode(texts: Sequence[Sequence[str]], vocabulary: Sequence[str], length: int) -> np.ndarray:
    """Return tokens uint16 [N, length, 1, 1]: the first `length` words, padded in front.

    Args:
        texts: Words of each text.
        vocabulary: Word of each token.
        length: Positions.
    """
    numbers = {word: token for token, word in enumerate(vocabulary)}
    tokens = np.full((len(texts), length, 1, 1), PADDING, np.uint16)
    for row, text in enumerate(texts):
        known = [numbers.get(word, UNKNOWN) for word in text[:length]]
        if known:
            tokens[row, -len(known) :, 0, 0] = known
    return tokens


def decode(tokens: np.ndarray, vocabulary: Sequence[str]) -> str:
    """Return a row of tokens [length, 1, 1] as words, without its padding."""
    return " ".join(vocabulary[token] for token in tokens.ravel().tolist() if token != PADDING)


def read_vocabulary(path: Path, words: int) -> tuple[str, ...]:
    """Read a vocabulary file: a JSON list with the word of each token.

    Args:
        path: The file.
        words: How many there must be.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        found = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"expected a vocabulary in {path}, received {error}: import the data set again"
        ) from error
    if not is_vocabulary(found) or len(found) != words:
        raise DataError(
            f"expected a list of {words} different words in {path}, received another: "
            "import the data set again"
        )
    return tuple(found)


def is_vocabulary(value: object) -> bool:
    """Return whether JSON values are the words of tokens."""
    return (
        isinstance(value, list)
        and tuple(value[: len(SPECIAL)]) == SPECIAL
        and all(isinstance(word, str) for word in value)
        and len(SPECIAL) < len(set(value)) == len(value) <= MOST_WORDS
    )
