"""A table: the rows of a space with their columns. Complete and finite, or refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas_core.errors import DataError, SpecError
from nas_core.files import sha256_bytes
from nas_core.registry import OWN_TABLE
from nas_core.tables.files import DOCS, Arrays, array, open_arrays, read_bytes, strings
from nas_core.tables.published import Benchmark
from nas_core.tables.space import PLACE, Decision, Notation, TableSpace

NOT_COLUMNS = ("rows", "decisions", "choices", "columns", "edges", "op_names")


class Table:
    """One file, opened for one space.

    Attributes:
        path: The file.
        source: Its SHA-256.
        benchmark: What the columns are for.
        space: Its architectures.
        names: The columns, sorted.
    """

    def __init__(self, path: Path, benchmark: Benchmark) -> None:
        """Read and check a table.

        Raises:
            DataError: The file is missing or is no table of this space; a row is missing or
                there twice; a number is not finite.
        """
        data = read_bytes(path)
        self.path = path
        self.source = sha256_bytes(data)
        self.benchmark = benchmark
        self._arrays = open_arrays(path, data)
        if _is_keyed(self._arrays):
            self._arrays = _from_keyed(path, self._arrays, benchmark)
        self.space = _space(path, self._arrays, benchmark)
        self._order = self._rows_in_order()
        self.names = self._check_columns()

    def column(self, name: str) -> np.ndarray:
        """Return a column [N], or [N, draws], in the order of the space's rows.

        Raises:
            DataError: There is no such column.
        """
        if name not in self.names:
            raise DataError(
                f"expected a column among {', '.join(self.names)} of {self.path}, received {name!r}"
            )
        values: np.ndarray = self._values(name).astype(float)[self._order]
        return values

    def _values(self, name: str) -> np.ndarray:
        return array(self.path, self._arrays, name)

    def _rows_in_order(self) -> np.ndarray:
        """Return the places of the space's rows in the file [N]."""
        key = next((k for k in (self.benchmark.rows, "rows") if k in self._arrays), None)
        if key is None:
            raise DataError(
                f"expected a table of {self.benchmark.name} with {self.benchmark.rows!r} in "
                f"{self.path}, found {', '.join(sorted(self._arrays))[:300]}: {DOCS}"
            )
        codes = self._values(key)
        sizes = [len(decision.choices) for decision in self.space.decisions]
        if codes.ndim != 2 or codes.shape[1] != len(sizes) or codes.dtype.kind not in "iu":
            raise DataError(
                f"expected whole numbers [architectures, {len(sizes)}] as {key!r} in {self.path}, "
                f"received {codes.dtype} {list(codes.shape)}: {DOCS}"
            )
        if ((codes < 0) | (codes >= np.array(sizes))).any():
            raise DataError(
                f"expected codes from 0 below the number of choices, {sizes}, as {key!r} in "
                f"{self.path}, received {codes.min()} to {codes.max()}: correct them"
            )
        strides = np.cumprod([1, *sizes[:0:-1]])[::-1]
        return _permutation(self.path, self.space, codes.astype(np.int64) @ strides)

    def _check_columns(self) -> tuple[str, ...]:
        """Return the names of the columns. Looks for holes only: no value leaves this function.

        Raises:
            DataError: A column has a number that is not finite.
        """
        names = []
        for name in sorted(set(self._arrays) - {*NOT_COLUMNS, self.benchmark.rows}):
            values = self._values(name)
            if values.dtype.kind not in "iuf" or values.ndim not in (1, 2):
                continue
            if len(values) != self.space.size:
                continue
            if not np.isfinite(values).all():
                place = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
                raise DataError(
                    f"expected finite numbers in the column {name!r} of {self.path}, found NaN or "
                    f"infinity in its row {place}: fill it, or leave the column out"
                )
            names.append(name)
        return tuple(names)


def _is_keyed(arrays: Arrays) -> bool:
    """Whether it is JSON of the form {architecture: {column: value}}."""
    return isinstance(arrays, dict) and all(isinstance(value, dict) for value in arrays.values())


def _from_keyed(path: Path, arrays: Arrays, benchmark: Benchmark) -> Arrays:
    """Return the arrays of {architecture: {column: value}}, in the order of the space's rows."""
    space = benchmark.space()
    number = {text: row for row, text in enumerate(space.texts())}
    unknown = [text for text in arrays if text not in number]
    if unknown:
        raise DataError(
            f"expected architectures of {space.name} in {path}, such as {next(iter(number))}, "
            f"found {unknown[0]!r}: it is not in the table"
        )
    texts = sorted(arrays, key=lambda text: number[text])
    _permutation(path, space, np.array([number[text] for text in texts], np.int64))
    try:
        columns = {
            name: np.array([arrays[text][name] for text in texts], float)
            for name in arrays[texts[0]]
        }
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"expected the same numeric columns of every architecture in {path}, received "
            f"something else ({' '.join(str(error).split())}): correct it"
        ) from error
    return {benchmark.rows: space.codes(), **columns}


def _space(path: Path, arrays: Arrays, benchmark: Benchmark) -> TableSpace:
    """Return the published space, or the one that a user's own file describes."""
    if benchmark.name != OWN_TABLE:
        space = benchmark.space()
        given = strings(arrays["op_names"]) if "op_names" in arrays else None
        if given is not None and tuple(given) != space.decisions[0].choices:
            raise DataError(
                f"expected 'op_names' {', '.join(space.decisions[0].choices)} in {path}, received "
                f"{', '.join(given)}: the codes would mean something else"
            )
        return space
    names = strings(array(path, arrays, "decisions"))
    choices = [tuple(strings(row)) for row in arrays.get("choices", [])]
    if len(choices) != len(names):
        raise DataError(
            f"expected the choices of {len(names)} decisions in {path}, received {len(choices)}: "
            f"{DOCS}"
        )
    decisions = [Decision(*pair) for pair in zip(names, choices, strict=True)]
    try:
        return TableSpace(OWN_TABLE, decisions, Notation(" ".join([PLACE] * len(decisions))))
    except SpecError as error:
        raise DataError(f"{path}: {error}") from error


def _permutation(path: Path, space: TableSpace, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return where each of the space's rows stands among `numbers` [N].

    Raises:
        DataError: A row is missing or there twice.
    """
    counts = np.bincount(np.asarray(numbers, np.int64), minlength=space.size)
    odd = np.flatnonzero(counts != 1)
    if len(odd) > 0:
        row = int(odd[0])
        what = "is missing" if counts[row] == 0 else f"is there {counts[row]} times"
        raise DataError(
            f"expected each of the {space.size} architectures of {space.name} once in {path}, "
            f"{space.text(row)} {what}: complete the table"
        )
    return np.argsort(numbers)
