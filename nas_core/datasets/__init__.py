"""Data sets: the format on disk, the leaves generator, imports, and names such as "cifar10".

`resolve` turns what a user types into a data set; `load_split` opens train or validation; the test
split is opened by `nas_core.datasets.test_split.open_test` alone.
"""

from nas_core.datasets.importing import ImportReport, import_dataset
from nas_core.datasets.inspection import check_dataset, contact_sheet, sample_texts
from nas_core.datasets.leaves import write_leaves
from nas_core.datasets.names import resolve
from nas_core.datasets.store import DatasetInfo, Split, load_split, open_dataset, write_dataset

__all__ = [
    "DatasetInfo",
    "ImportReport",
    "Split",
    "check_dataset",
    "contact_sheet",
    "import_dataset",
    "load_split",
    "open_dataset",
    "resolve",
    "sample_texts",
    "write_dataset",
    "write_leaves",
]
