"""What is retrained: the architectures that a search found, and one that a person wrote down."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nas_core.errors import UsageError
from nas_core.spec import CellSpec, ChainSpec, Embedding, Softmax, Spec
from nas_core.store import TrialRow


@dataclass(frozen=True)
class Inheritance:
    """Weights that a training begins with.

    Attributes:
        model: The ``.keras`` file that they come from.
        sha256: Of that file.
        copied: Names of the layers whose weights are copied.
        fresh: Names of the layers that begin anew.
    """

    model: Path
    sha256: str
    copied: tuple[str, ...]
    fresh: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """One architecture to retrain, and how it starts.

    Attributes:
        spec: The architecture.
        search_score: Validation accuracy in the search; None for the hand-made one.
        inherited: Weights to begin with; None for fresh ones ("from scratch").
    """

    spec: Spec
    search_score: float | None
    inherited: Inheritance | None = None

    @property
    def start(self) -> str:
        """As tables say it: "scratch" or "fine-tuned"."""
        return "scratch" if self.inherited is None else "fine-tuned"


def found_candidates(
    rows: Iterable[TrialRow],
    classes: int,
    cells: int | None,
    filters: int | None,
    words: int | None = None,
) -> list[Candidate]:
    """Return a search's architectures for a data set, rebuilt where asked, each once.

    Args:
        rows: Trials with a score.
        classes: Of the data set.
        cells: See `rebuilt`.
        filters: See `rebuilt`.
        words: See `for_classes`.

    Raises:
        UsageError: The architectures cannot be rebuilt so.
    """
    found: dict[str, Candidate] = {}  # two that differ in size only become one when rebuilt
    for row in rows:
        spec = rebuilt(for_classes(row.spec, classes, words), cells, filters)
        found.setdefault(spec.digest, Candidate(spec, row.score))
    return list(found.values())


def for_classes(spec: Spec, classes: int, words: int | None = None) -> Spec:
    """Return an architecture with its classifier changed to a data set's classes.

    Args:
        spec: The architecture.
        classes: Of the data set.
        words: Of its vocabulary, for an architecture that embeds texts.

    Raises:
        UsageError: The type of specification has no known classifier.
    """
    if isinstance(spec, CellSpec):
        return replace(spec, classes=classes)
    if not isinstance(spec, ChainSpec):
        raise UsageError(f"expected a chain or cell architecture, received {type(spec).__name__}")
    *layers, end = spec.layers
    if layers and isinstance(layers[0], Embedding) and words is not None:
        layers[0] = replace(layers[0], words=words)
    return ChainSpec((*layers, Softmax(classes, inputs=end.inputs)))


def rebuilt(spec: Spec, cells: int | None, filters: int | None) -> Spec:
    """Return the same cells in a network of another size (Zoph et al. 2018, section 3).

    Args:
        spec: What a search found.
        cells: Normal cells in each of three stacks, a reduction cell between two, as published;
            None for the search's stacks.
        filters: Filters of the first stack, doubled by each reduction; None for the search's.

    Raises:
        UsageError: A chain, which has no cells, or a number out of range.
    """
    if cells is None and filters is None:
        return spec
    if not isinstance(spec, CellSpec):
        raise UsageError(
            "expected a run of cells (nas search nasnet) for --cells and --filters, received one "
            f"of {spec.type}s: leave them out"
        )
    return replace(
        spec,
        repeats=spec.repeats if cells is None else cells,
        filters=spec.filters if filters is None else filters,
    )
