"""A network of repeated cells (Zoph et al. 2018): frozen, checked, named by digest."""

from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

from nas_core.errors import SpecError
from nas_core.spec.cell_blocks import Cell, cell_from_json, cell_to_json, choice, whole
from nas_core.spec.digest import canonical_digest

STEMS = ("cifar", "imagenet")
MOST_STACKS = 8
MOST_REPEATS = 64
MOST_FILTERS = 1 << 14


@dataclass(frozen=True)
class CellSpec:
    """Stem, stacks of normal cells with a reduction cell between them, classifier.

    Attributes:
        normal: Keeps the resolution.
        reduction: Halves the resolution; the filters double with it.
        repeats: Normal cells in each stack; a number N means three stacks of N, as published.
            ``(1, 0)`` is one normal cell, a reduction cell and the classifier.
        filters: Filters of the first stack.
        classes: Outputs of the classifier.
        stem: ``cifar`` (3x3 convolution, same size) or ``imagenet`` (3x3 convolution of stride 2,
            then two reduction cells: an eighth of the size).
        stem_multiplier: Stem filters are this many times `filters` (cifar) or 32 (imagenet).
        skip_reduction: Whether the normal cell after a reduction takes as previous input what the
            reduction cell took, as NASNet-A Large does.
        auxiliary_head: Whether a second classifier sits at two thirds of the depth.
        dropout: Rate before the classifier, in [0, 0.99].
        drop_path_keep: Probability of keeping a path of the last cell, in [0.01, 1]; earlier
            cells keep more, linearly (ScheduledDropPath).
        batch_norm_momentum: Decay of the moving statistics; NASNet's 0.9997 needs 10,000 steps.

    Raises:
        SpecError: On construction, if a value is out of range.
    """

    type: ClassVar[str] = "cell"
    normal: Cell
    reduction: Cell
    repeats: tuple[int, ...] | int = field(default=2, kw_only=True)
    filters: int = field(default=32, kw_only=True)
    classes: int = field(default=10, kw_only=True)
    stem: str = field(default="cifar", kw_only=True)
    stem_multiplier: int = field(default=3, kw_only=True)
    skip_reduction: bool = field(default=False, kw_only=True)
    auxiliary_head: bool = field(default=False, kw_only=True)
    dropout: float = field(default=0.0, kw_only=True)
    drop_path_keep: float = field(default=1.0, kw_only=True)
    batch_norm_momentum: float = field(default=0.9, kw_only=True)

    def __post_init__(self) -> None:
        for cell in (self.normal, self.reduction):
            if not isinstance(cell, Cell):
                raise SpecError(f"expected a Cell, received {cell!r}: build it from blocks")
        given = (self.repeats,) * 3 if isinstance(self.repeats, int) else self.repeats
        if not isinstance(given, (tuple, list)):
            raise SpecError(f"expected repeats as a number or a list, received {given!r}")
        object.__setattr__(self, "repeats", tuple(given))
        self._check_stacks(self.stacks)
        whole("filters", self.filters, 4 if self.stem == "imagenet" else 1, MOST_FILTERS)
        whole("classes", self.classes, 2, 1 << 16)
        choice("stem", self.stem, STEMS)
        whole("stem_multiplier", self.stem_multiplier, 1, 64)
        self._check_training()

    def _check_stacks(self, stacks: tuple[int, ...]) -> None:
        whole("the number of stacks", len(stacks), 1, MOST_STACKS)
        for count in stacks:
            whole("repeats", count, 0, MOST_REPEATS)
        if sum(stacks) == 0:
            raise SpecError("expected at least one normal cell, received none: raise repeats")
        if self.skip_reduction and 0 in stacks[:-1]:
            raise SpecError(
                f"expected a normal cell before every reduction with skip_reduction, received "
                f"repeats {stacks}: the previous input would be four times too large"
            )
        if self.auxiliary_head and len(stacks) < 2:
            raise SpecError("expected two stacks or more for an auxiliary head, received one")

    def _check_training(self) -> None:
        for name in ("skip_reduction", "auxiliary_head"):
            if not isinstance(getattr(self, name), bool):
                raise SpecError(
                    f"expected {name} as true or false, received {getattr(self, name)!r}"
                )
        _fraction("dropout", self.dropout, 0.0, 0.99)
        _fraction("drop_path_keep", self.drop_path_keep, 0.01, 1.0)
        _fraction("batch_norm_momentum", self.batch_norm_momentum, 0.0, 0.99999)
        for name in ("dropout", "drop_path_keep", "batch_norm_momentum"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def stacks(self) -> tuple[int, ...]:
        """`repeats` as one number per stack."""
        return self.repeats if isinstance(self.repeats, tuple) else (self.repeats,) * 3

    @cached_property
    def digest(self) -> str:
        """The name shared by every specification that differs in notation only."""
        from nas_core.spec.cell_canonical import canonical_json

        return canonical_digest(canonical_json(self))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values that `from_json` reads back to an equal specification."""
        rest = {item.name: getattr(self, item.name) for item in fields(self)[2:]}
        return {
            "type": self.type,
            "normal": cell_to_json(self.normal),
            "reduction": cell_to_json(self.reduction),
            **rest,
            "repeats": list(self.stacks),
        }

    @classmethod
    def from_json(cls, value: Any) -> "CellSpec":
        """Build a specification from `to_json`'s values.

        Raises:
            SpecError: An unknown or missing key, operation or value.
        """
        if not isinstance(value, dict):
            raise SpecError(f"expected {{'type': 'cell', 'normal': ...}}, received {value!r}")
        known = {item.name for item in fields(cls)}
        needed = {item.name for item in fields(cls) if item.default is MISSING}
        given = {key: item for key, item in value.items() if key != "type"}
        if not needed <= set(given) <= known:
            raise SpecError(
                f"expected the keys {', '.join(sorted(needed))} and none beside "
                f"{', '.join(sorted(known - needed))}, received {', '.join(map(str, given))}"
            )
        cells = {name: cell_from_json(given[name]) for name in needed}
        return cls(**{**given, **cells})

    def to_text(self) -> str:
        """Return one line such as ``normal 0 1 sep3 sep5 add; reduction ...; repeats 2 ...``."""
        from nas_core.spec.cell_text import cell_spec_to_text

        return cell_spec_to_text(self)

    @classmethod
    def from_text(cls, text: str) -> "CellSpec":
        """Read the notation of `to_text` (see `nas_core.spec.cell_text`)."""
        from nas_core.spec.cell_text import cell_spec_from_text

        return cell_spec_from_text(text)


def _fraction(name: str, value: Any, smallest: float, largest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"expected {name} as a number, received {value!r}")
    if not smallest <= value <= largest:
        raise SpecError(f"expected {name} from {smallest} to {largest}, received {value!r}")


def filters_for(penultimate: int, cell: Cell, stacks: int = 3) -> int:
    """Return the first stack's filters for the P of the notation N@P (1056 gives 44 in NASNet-A).

    Args:
        penultimate: Channels before the classifier.
        cell: The last cell, normally the normal one.
        stacks: Number of stacks.

    Raises:
        SpecError: `penultimate` is not a multiple of what one filter contributes.
    """
    whole("penultimate filters", penultimate, 1, MOST_FILTERS * 64)
    share = cell.width << stacks - 1
    if penultimate % share:
        raise SpecError(
            f"expected penultimate filters as a multiple of {share}: received {penultimate}"
        )
    return penultimate // share
