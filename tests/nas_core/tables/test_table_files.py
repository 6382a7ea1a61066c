"""Table files: every form gives the same numbers, and every defect gives one line."""

import gzip
import json

import numpy as np
import pytest
from tiny_tables import (
    CODES,
    SPACE,
    TEST,
    VALIDATION,
    macro_arrays,
    macro_npz,
    nb201_npz,
    own_arrays,
    own_json,
    own_npz,
)

from nas_core.errors import DataError, UsageError
from nas_core.tables.assembly import TablePlan, open_table, report_values, table_trainer
from nas_core.tables.convert import convert_table


def test_npz_and_json_of_an_own_table_are_the_same(tmp_path):
    tables = [
        open_table("table", own_npz(tmp_path / "t.npz")),
        open_table("table", own_json(tmp_path / "t.json")),
    ]
    for table in tables:
        assert table.space.config() == SPACE.config()
        assert table.column("val").tolist() == VALIDATION
        assert table.column("test").tolist() == TEST
    assert tables[0].names == ("hours", "test", "val")


def test_rows_may_come_in_any_order(tmp_path):
    order = [4, 2, 0, 5, 3, 1]
    shuffled = {
        name: np.array(value)[order]
        for name, value in (("rows", CODES), ("val", VALIDATION), ("test", TEST))
    }
    table = open_table("table", own_npz(tmp_path / "t.npz", **shuffled))
    assert table.column("val").tolist() == VALIDATION
    assert table.column("test").tolist() == TEST


def test_bytes_and_padding_are_understood(tmp_path):
    names, choices = own_arrays()["decisions"], own_arrays()["choices"]
    path = own_npz(tmp_path / "t.npz", decisions=names.astype("S"), choices=choices.astype("S"))
    assert open_table("table", path).space.config() == SPACE.config()


def test_published_json_converts_to_the_same_table(tmp_path):
    arrays = macro_arrays()
    rows = {
        "".join(map(str, code)): {
            "test_acc": arrays["test_acc"][row].tolist(),
            "mean_acc": float(arrays["mean_acc"][row]),
        }
        for row, code in enumerate(arrays["arch"].tolist())
    }
    backwards = dict(reversed(rows.items()))
    source = tmp_path / "macro.json.gz"
    source.write_bytes(gzip.compress(json.dumps(backwards).encode()))
    found = convert_table(source, "nasbench_macro", tmp_path / "m.npz")
    assert found["architectures"] == 6561
    assert found["columns"] == ["mean_acc", "test_acc"]
    table = open_table("nasbench_macro", tmp_path / "m.npz")
    np.testing.assert_array_equal(table.column("test_acc"), arrays["test_acc"])
    np.testing.assert_array_equal(table.column("mean_acc"), arrays["mean_acc"])


def test_an_own_table_converts_with_its_decisions(tmp_path):
    convert_table(own_json(tmp_path / "t.json"), "table", tmp_path / "t.npz")
    table = open_table("table", tmp_path / "t.npz")
    assert table.space.config() == SPACE.config()
    assert table.column("test").tolist() == TEST


def nan_in(values):
    return np.array([*values[:3], np.nan, *values[4:]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"val": nan_in(VALIDATION)}, ["'val'", "NaN", "row 3"]),
        ({"test": nan_in(TEST)}, ["'test'", "NaN", "row 3"]),
        ({"rows": np.array([*CODES[:5], CODES[0]])}, ["conv3 conv3", "2 times"]),
        ({"rows": np.array(CODES[:5]), "val": np.ones(5)}, ["pool skip", "missing"]),
        ({"rows": np.array([*CODES[:5], [3, 0]])}, ["below the number of choices"]),
        ({"rows": np.array(CODES, float)}, ["whole numbers"]),
        ({"rows": None}, ["'rows'"]),
        ({"decisions": None}, ["'decisions'"]),
        ({"choices": None}, ["choices"]),
    ],
)
def test_a_defect_is_told_in_one_line(tmp_path, changes, words):
    path = own_npz(tmp_path / "bad.npz", **changes)
    with pytest.raises(DataError) as caught:
        open_table("table", path)
    line = str(caught.value)
    assert all(word in line for word in [*words, "expected", "bad.npz"]), line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.npz", b"no zip"),
        ("t.npz", b""),
        ("t.json", b"{"),
        ("t.json", b"\xff\xfe"),
        ("t.json", b"[1]"),
        ("t.json.gz", b"no gzip"),
        ("t.pth", b"PK"),
        ("t.pickle.pbz2", b"BZh9"),
    ],
)
def test_a_file_that_is_no_table_is_told_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_table("nasbench201", tmp_path / name)
    assert "expected" in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, **{**own_arrays(), "val": np.array([{"a": 1}] * 6, object)})
    with pytest.raises(DataError, match="cannot read"):
        open_table("table", path)


def test_a_missing_file_and_a_space_without_tables(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        open_table("nasbench201", tmp_path / "none.npz")
    with pytest.raises(UsageError, match="expected a space that has a table"):
        open_table("metaqnn", own_npz(tmp_path / "t.npz"))
    with pytest.raises(DataError, match="'ops'"):
        open_table("nasbench201", macro_npz(tmp_path / "m.npz"))


def test_operations_in_another_order_are_refused(tmp_path):
    names = np.array(["skip_connect", "none", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"])
    with pytest.raises(DataError, match="op_names"):
        open_table("nasbench201", nb201_npz(tmp_path / "t.npz", op_names=names))


def test_wrong_columns_are_told_with_those_that_exist(tmp_path):
    path = own_npz(tmp_path / "t.npz")
    table = open_table("table", path)
    for plan in (
        TablePlan(path),
        TablePlan(path, search="vall"),
        TablePlan(path, search="val", report="test,tset"),
        TablePlan(path, search="val", seconds="minutes"),
    ):
        with pytest.raises(DataError, match=r"expected --.*among hours, test, val"):
            table_trainer(table, plan)


def test_a_searched_column_must_hold_accuracies(tmp_path):
    path = own_npz(tmp_path / "t.npz", hours=np.arange(6.0) * 100)
    with pytest.raises(DataError, match="accuracies"):
        table_trainer(open_table("table", path), TablePlan(path, search="hours"))


def test_reported_columns_default_to_the_published_ones(tmp_path):
    path = nb201_npz(tmp_path / "t.npz")
    table = open_table("nasbench201", path)
    assert list(report_values(table, TablePlan(path))) == [
        "cifar10_test_acc_200ep", "cifar100_test_acc_200ep",
    ]  # fmt: skip
    assert list(report_values(table, TablePlan(path, report="svhn_val_acc"))) == ["svhn_val_acc"]
    own = own_npz(tmp_path / "o.npz")
    found = report_values(open_table("table", own), TablePlan(own, search="val"))
    assert list(found) == ["val"]


def test_the_real_tables_have_their_published_optima(shared_data):
    path = shared_data("nasbench201/nasbench201.npz")
    cells = open_table("nasbench201", path)
    assert cells.column("cifar10_test_acc_200ep").max() == pytest.approx(94.373, abs=1e-3)
    best = int(cells.column("cifar100_test_acc_200ep").argmax())
    assert cells.column("cifar100_test_acc_200ep")[best] == pytest.approx(73.513, abs=1e-3)
    with np.load(path) as arrays:  # the texts are those of the file
        row = int(np.flatnonzero(arrays["arch_str"] == cells.space.text(best).encode())[0])
        assert arrays["cifar100_test_acc_200ep"][row] == arrays["cifar100_test_acc_200ep"].max()
    macro = open_table("nasbench_macro", shared_data("nas_bench_macro/nas_bench_macro.npz"))
    # Two texts of one network share the optimum.
    assert macro.space.text(int(macro.column("mean_acc").argmax())) in ("22212202", "22212220")
    assert macro.column("mean_acc").max() == pytest.approx(93.127, abs=1e-3)
