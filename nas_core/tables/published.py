"""What is known of the published tables, and their entries as search spaces.

NAS-Bench-201: Dong & Yang 2020, 5 operations on 6 edges of a cell. NAS-Bench-Macro: Su et al. 2021,
3 blocks in 8 layers.
"""

from dataclasses import dataclass

from nas_core.errors import UsageError
from nas_core.registry import OWN_TABLE, SpaceEntry
from nas_core.tables.space import PLACE, Decision, Notation, TableSpace
from nas_core.trainer.recipe import QUICK

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
BLOCKS = ("Identity", "MB3_K3", "MB6_K5")


@dataclass(frozen=True)
class Benchmark:
    """A table's meaning: its space, and what its columns are for.

    Attributes:
        name: Of the space.
        decisions: In the order of the published rows; empty where only the file has them.
        notation: How a row is written; None where only the file has the decisions.
        rows: Name of the array of rows [N, decisions]: codes of the choices.
        search: Column that a search sees; None where the user has to say.
        report: Columns that are read after the search; the searched one where there are none.
        parameters: Column of the number of weights; None for none.
        macs: (column, what one of its units is in multiply-accumulates); None for none.
        carried: Further columns that every trial's details bring along (latency, energy).
        epochs: Of the training that the searched column is from, for modelled seconds.
        images: Of the same training.
    """

    name: str
    decisions: tuple[Decision, ...] = ()
    notation: Notation | None = None
    rows: str = "rows"
    search: str | None = None
    report: tuple[str, ...] = ()
    parameters: str | None = None
    macs: tuple[str, float] | None = None
    carried: tuple[str, ...] = ()
    epochs: int = 0
    images: int = 0

    def space(self) -> TableSpace:
        """Return the search space.

        Raises:
            UsageError: Only a file says what this one is.
        """
        if self.notation is None:
            raise UsageError(
                f"expected --table FILE for the space {self.name}, which that file describes: "
                "see docs/tables.md"
            )
        return TableSpace(self.name, self.decisions, self.notation)


NASBENCH201 = Benchmark(
    name="nasbench201",
    decisions=tuple(Decision(f"edge {a}>{b}", OPERATIONS) for a, b in EDGES),
    notation=Notation("|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"),
    rows="ops",
    search="cifar10_val_acc_12ep",
    report=("cifar10_test_acc_200ep", "cifar100_test_acc_200ep"),
    parameters="cifar10_params",
    macs=("cifar10_mflops", 1e6),
    carried=(
        "hw_edgegpu_latency", "hw_edgegpu_energy", "hw_raspi4_latency", "hw_edgetpu_latency",
        "hw_pixel3_latency", "hw_eyeriss_latency", "hw_eyeriss_energy", "hw_fpga_latency",
        "hw_fpga_energy",
    ),
    epochs=12,
    images=25_000,
)  # fmt: skip
NASBENCH_MACRO = Benchmark(
    name="nasbench_macro",
    decisions=tuple(Decision(f"layer {number}", BLOCKS) for number in range(1, 9)),
    notation=Notation(PLACE * 8, tuple((name, str(code)) for code, name in enumerate(BLOCKS))),
    rows="arch",
    search="test_acc",
    report=("mean_acc",),
    parameters="params",
    macs=("flops", 1.0),
    epochs=50,
    images=50_000,
)
BENCHMARKS = {item.name: item for item in (NASBENCH201, NASBENCH_MACRO, Benchmark(OWN_TABLE))}


def _entry(benchmark: Benchmark) -> SpaceEntry:
    return SpaceEntry(
        default_agent="reinforce",
        build=lambda preset, image_shape, classes: benchmark.space(),
        recipe=lambda preset: QUICK,
        trials={"quick": 100, "paper": 100},
        agent_preset="table",
        trainers=("table", "mock"),
    )


NASBENCH201_ENTRY = _entry(NASBENCH201)
NASBENCH_MACRO_ENTRY = _entry(NASBENCH_MACRO)
OWN_ENTRY = _entry(BENCHMARKS[OWN_TABLE])
