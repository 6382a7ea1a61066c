"""What a MetaQNN space and learner are made of: the published values and the quick ones."""

from dataclasses import dataclass

from nas_core.cost import Limits
from nas_core.errors import UsageError

# (epsilon, number of unique models), Table 2 of the paper: 2,700 models in all.
PAPER_SCHEDULE = (
    (1.0, 1500), (0.9, 100), (0.8, 100), (0.7, 100), (0.6, 150),
    (0.5, 150), (0.4, 150), (0.3, 150), (0.2, 150), (0.1, 150),
)  # fmt: skip

NO_LIMITS = Limits()

# (epsilon, share of the proposals): the quick preset's phases, scaled to the number of trials.
QUICK_SHARES = ((1.0, 0.4), (0.7, 0.1), (0.5, 0.1), (0.3, 0.15), (0.1, 0.25))

# The same on published tables: chosen on NAS-Bench-Macro, where 200 proposals are many.
TABLE_SHARES = ((1.0, 0.15), (0.5, 0.15), (0.3, 0.3), (0.2, 0.2), (0.1, 0.2))


@dataclass(frozen=True)
class SpaceConfig:
    """MetaQNN's layer choices (Table 1 of the paper).

    Attributes:
        filters: Numbers of filters of a convolution.
        kernels: Square receptive fields of a convolution; its stride is 1.
        pools: (size, stride) of max pooling.
        dense: Units of a fully connected layer.
        most_dense: Fully connected layers in a row, at most.
        depth: Layers before the classifier, at most.
        initial_pooling: Whether the first layer may pool (the authors' code says no).
        dropout: Whether dropout follows every second layer and every dense layer, rising to 0.5.
        limits: Costs that masks keep every network within.
    """

    filters: tuple[int, ...] = (64, 128, 256, 512)
    kernels: tuple[int, ...] = (1, 3, 5)
    pools: tuple[tuple[int, int], ...] = ((5, 3), (3, 2), (2, 2))
    dense: tuple[int, ...] = (512, 256, 128)
    most_dense: int = 2
    depth: int = 12
    initial_pooling: bool = False
    dropout: bool = True
    limits: Limits = NO_LIMITS

    def __post_init__(self) -> None:
        numbers = (*self.filters, *self.kernels, *self.dense, self.depth)
        if not self.filters or not self.kernels or min(numbers) < 1 or self.most_dense < 0:
            raise UsageError(
                f"expected at least one filter count, one kernel and a depth of 1 or more, "
                f"received {self}: correct the space"
            )


PAPER_SPACE = SpaceConfig(depth=18)
QUICK_SPACE = SpaceConfig(
    filters=(16, 32, 64, 128),
    dense=(256, 128, 64),
    depth=8,
    dropout=False,
    limits=Limits(parameters=2_000_000, macs=8_000_000, activation_bytes=4_000_000),
)


@dataclass(frozen=True)
class LearnerConfig:
    """MetaQNN's learner (sections 4.3 and 5 of the paper).

    Attributes:
        alpha: Learning rate of Q, in (0, 1].
        gamma: Discount, in [0, 1].
        initial_q: Value of a decision never updated, near an average network's accuracy.
        replay: Stored models drawn after every new model (100 in the paper, 128 in its code).
        lag: Proposals in flight when the next is made: the paper's machines worked at once.
        schedule: (epsilon, models) phases.
        by_unique: Whether the phases count unique models (paper) or proposals.
    """

    alpha: float = 0.01
    gamma: float = 1.0
    initial_q: float = 0.5
    replay: int = 100
    lag: int = 4
    schedule: tuple[tuple[float, int], ...] = PAPER_SCHEDULE
    by_unique: bool = True

    def __post_init__(self) -> None:
        if not (0 < self.alpha <= 1 and 0 <= self.gamma <= 1 and self.replay >= 0 and self.lag > 0):
            raise UsageError(
                f"expected alpha in (0, 1], gamma in [0, 1], replay of 0 or more and lag of 1 or "
                f"more, received {self}: correct the learner"
            )
