"""What the text space chooses from."""

from dataclasses import dataclass

from nas_core.cost import Limits
from nas_core.errors import UsageError
from nas_core.spec import Dropout

AVERAGE, MAXIMUM = "average", "maximum"
STATES = ("gru", "lstm", "bgru", "blstm")  # of one layer, or of two that read both ways

LIMITS = Limits(parameters=2_000_000, macs=10_000_000, activation_bytes=4_000_000)


@dataclass(frozen=True)
class TextSpaceConfig:
    """Choices of a network for texts.

    Attributes:
        embeddings: Units of the word vectors.
        dropouts: Rates behind the embedding and before the classifier; 0 for none.
        states: Units of a recurrent layer that may end the network; empty for no such layer.
        depths: Numbers of convolutions, ascending; 0 for none.
        kernels: Words that a convolution sees.
        filters: Of a convolution.
        pools: Words that max pooling behind a convolution joins; 1 for none.
        limits: Costs that masks keep every network within.

    Raises:
        UsageError: On construction, if a value is out of range.
    """

    embeddings: tuple[int, ...] = (16, 32, 64, 128)
    dropouts: tuple[float, ...] = (0.0, 0.3, 0.5)
    states: tuple[int, ...] = (32, 64)
    depths: tuple[int, ...] = (0, 1, 2, 3)
    kernels: tuple[int, ...] = (2, 3, 5, 7)
    filters: tuple[int, ...] = (32, 64, 128)
    pools: tuple[int, ...] = (1, 2, 4)
    limits: Limits = LIMITS

    def __post_init__(self) -> None:
        for name, smallest in _SMALLEST.items():
            values = getattr(self, name)
            fine = len(set(values)) == len(values) and all(value >= smallest for value in values)
            if not fine or (not values and name != "states"):
                raise UsageError(
                    f"expected different {name} of {smallest} or more, received {values!r}: "
                    "correct them"
                )
        for rate in self.dropouts:
            Dropout(rate)  # checks itself

    @property
    def ends(self) -> tuple[str, ...]:
        """Ways from a map to a vector: ``average``, ``maximum``, ``gru 32``, ``blstm 64``, ..."""
        return (AVERAGE, MAXIMUM, *(f"{cell} {units}" for cell in STATES for units in self.states))


_SMALLEST = {
    "embeddings": 1, "dropouts": 0, "states": 1, "depths": 0, "kernels": 1, "filters": 1,
    "pools": 1,
}  # fmt: skip

QUICK_TEXT = TextSpaceConfig()
