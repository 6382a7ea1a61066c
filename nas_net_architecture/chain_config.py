"""What the chain space chooses from (Zoph & Le 2017, section 3.3 and 4.1), and its decisions."""

from dataclasses import dataclass

from nas_core.cost import Limits
from nas_core.errors import UsageError
from nas_core.spec import Conv, Dropout

NO_LIMITS = Limits()
MOST_DEPTH = 40
Option = int | float | str | bool


@dataclass(frozen=True)
class ChainSpaceConfig:
    """Choices of one convolutional layer, and how many layers there are.

    A choice with a single value is no decision.

    Attributes:
        heights: Of filters, in pixels.
        widths: Of filters, in pixels.
        strides: Vertical and horizontal, decided one by one.
        filters: Numbers of filters.
        pools: Sides (and strides) of max pooling behind the convolution; 1 for none.
        activations: Functions among those of `nas_core.spec`.
        batch_norms: Whether batch normalisation stands before the activation.
        dropouts: Rates behind the layer; 0 for none.
        skips: Whether a layer chooses its inputs among all earlier layers; else it reads the
            one before.
        depths: Numbers of layers that a network may have, ascending.
        samples_per_depth: Trials after which the next depth is the only one (the published
            schedule adds two layers every 1,600); None: the depth is a decision like others.
        average: Whether maps are averaged over their positions before the classifier.
        limits: Costs that masks keep every network within.

    Raises:
        UsageError: On construction, if a value is out of range.
    """

    heights: tuple[int, ...] = (1, 3, 5, 7)
    widths: tuple[int, ...] = (1, 3, 5, 7)
    strides: tuple[int, ...] = (1,)
    filters: tuple[int, ...] = (24, 36, 48, 64)
    pools: tuple[int, ...] = (1,)
    activations: tuple[str, ...] = ("relu",)
    batch_norms: tuple[bool, ...] = (True,)
    dropouts: tuple[float, ...] = (0.0,)
    skips: bool = True
    depths: tuple[int, ...] = (6, 8, 10, 12, 14, 16, 18, 20)
    samples_per_depth: int | None = 1600
    average: bool = True
    limits: Limits = NO_LIMITS

    def __post_init__(self) -> None:
        for name, values in self.choices.items():
            if not values or len(set(values)) < len(values):
                raise UsageError(f"expected different {name}, at least one, received {values!r}")
        for name in ("heights", "widths", "strides", "filters", "pools"):
            if min(getattr(self, name)) < 1:
                raise UsageError(
                    f"expected {name} of 1 or more, received {getattr(self, name)!r}: correct them"
                )
        for activation in self.activations:
            Conv(1, 1, 1, activation)  # both check themselves
        for rate in self.dropouts:
            Dropout(rate)
        if list(self.depths) != sorted(set(self.depths)) or not self.depths:
            raise UsageError(f"expected ascending depths, received {self.depths!r}: sort them")
        if not 1 <= self.depths[0] <= self.depths[-1] <= MOST_DEPTH:
            raise UsageError(f"expected depths from 1 to {MOST_DEPTH}, received {self.depths!r}")
        if self.samples_per_depth is not None and self.samples_per_depth < 1:
            raise UsageError(
                f"expected samples_per_depth of 1 or more, received {self.samples_per_depth}"
            )

    @property
    def choices(self) -> dict[str, tuple[Option, ...]]:
        """A layer's choices in the order in which they are decided."""
        return {
            "heights": self.heights,
            "widths": self.widths,
            "strides": self.strides,
            "filters": self.filters,
            "pools": self.pools,
            "activations": self.activations,
            "batch_norms": self.batch_norms,
            "dropouts": self.dropouts,
        }


PAPER_CHAIN = ChainSpaceConfig()
# Children of seconds, with the papers' future work as decisions: normalisation and dropout.
QUICK_CHAIN = ChainSpaceConfig(
    heights=(1, 3, 5),
    widths=(1, 3, 5),
    filters=(16, 32, 64),
    pools=(1, 2),
    batch_norms=(False, True),
    dropouts=(0.0, 0.25),
    depths=(4,),
    samples_per_depth=None,
    average=False,
    limits=Limits(parameters=2_000_000, macs=20_000_000, activation_bytes=4_000_000),
)


@dataclass(frozen=True)
class Decision:
    """One decision of the sequence.

    Attributes:
        kind: "depth", "stride height", "stride width", "skip", or the name of a choice.
        layer: Number of the layer, -1 for the depth.
        source: For "skip", the earlier layer; else -1.
    """

    kind: str
    layer: int = -1
    source: int = -1


def decisions(config: ChainSpaceConfig) -> tuple[Decision, ...]:
    """Return all decisions of the deepest network; a shallower one stops earlier.

    A layer's own decisions come first, then its anchor point: one yes or no per earlier layer.
    """
    rows = [Decision("depth")] if len(config.depths) > 1 else []
    for layer in range(config.depths[-1]):
        for name, values in config.choices.items():
            if len(values) > 1:
                parts = ("stride height", "stride width") if name == "strides" else (name,)
                rows += [Decision(part, layer) for part in parts]
        if config.skips:
            rows += [Decision("skip", layer, source) for source in range(layer)]
    return tuple(rows)
