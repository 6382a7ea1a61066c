"""`nas compare` and tables as a user types them: figures, exit codes and one-line errors."""

import json

import numpy as np
import pytest
from command_line import nas_here
from tiny_tables import macro_npz, nb201_npz, own_json


def test_compare_writes_what_it_promises(tmp_path):
    table = macro_npz(tmp_path / "m.npz")
    done = nas_here("compare", "--space", "nasbench_macro", "--table", table, "--agents", "evolution",
               "--evaluations", "10,20", "--seeds", "4", "--json", "out.json", "--plot", "p.svg",
               cwd=tmp_path)  # fmt: skip
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["agent"], row["evaluations"]) for row in rows] == [
        ("evolution", 10), ("evolution", 20), ("random", 10), ("random", 20),
    ]  # fmt: skip
    assert {row["metric"] for row in rows} == {"mean_acc"}
    assert "random search (P = " in done.stdout
    assert "8/8 searches" in done.stderr
    assert (tmp_path / "p.svg").stat().st_size > 1000


def test_an_own_table_is_searched_without_code(tmp_path):
    own_json(tmp_path / "t.json")
    done = nas_here("search", "table", "--table", "t.json", "--search-column", "val",
               "--report-columns", "test", "--agent", "local-search", "--trials", "30", "--run",
               "R", "--json", cwd=tmp_path)  # fmt: skip
    found = json.loads(done.stdout)
    assert found["best"]["text"] == "pool conv3"
    assert found["table"] == {"test": 15.0}
    nas_here("report", "R", cwd=tmp_path)
    page = (tmp_path / "R" / "report.html").read_text()
    assert "In the published table" in page
    assert "15.000" in page
    assert (
        json.loads(nas_here("best", "R", "--json", cwd=tmp_path).stdout)["best"][0]["score"] == 0.9
    )


def one_line(done):
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("nas: expected")
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "nasbench201", "--table", "none.npz"], "No such file"),
        (["search", "nasbench201", "--table", "nan.npz"], "NaN"),
        (["search", "nasbench201", "--table", "macro.npz"], "'ops'"),
        (["search", "nasbench_macro", "--table", "macro.npz", "--search-column", "x"], "mean_acc"),
        (["search", "nasbench201"], "--table FILE"),
        (["search", "metaqnn", "--table", "macro.npz"], "real or mock"),
        (["search", "table", "--trainer", "mock"], "--table FILE"),
        (["compare", "--space", "nasbench201", "--trainer", "table"], "--table FILE"),
        (["compare", "--space", "metaqnn", "--trainer", "real"], "mock"),
        (["compare", "--space", "nasbench_macro", "--evaluations", "ten"], "'ten'"),
        (["compare", "--space", "nasbench_macro", "--plot", "p.gif"], ".png"),
        (["compare", "--space", "nowhere"], "nowhere"),
        (["data", "table", "x.pth", "--space", "nasbench201", "--out", "t.npz"], "pickle"),
        (["data", "table", "macro.npz", "--space", "nasbench_macro", "--out", "t.csv"], ".npz"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, arguments, words):
    macro_npz(tmp_path / "macro.npz")
    values = np.full(15_625, 50.0)
    values[7] = np.nan
    nb201_npz(tmp_path / "nan.npz", cifar100_test_acc_200ep=values)
    assert words in one_line(nas_here(*arguments, cwd=tmp_path, check=2))
    assert not (tmp_path / "runs").exists()
