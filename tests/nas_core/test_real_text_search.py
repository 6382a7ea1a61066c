"""Real children on tiny texts end to end: import, search, retrain, predict, plain Keras."""

import json
import os
import subprocess
import sys

import pytest
from command_line import nas
from tiny_texts import write_table

pytestmark = pytest.mark.slow


def found(*arguments, cwd):
    return json.loads(nas(*arguments, "--json", cwd=cwd).stdout)


ALONE = """
import sys
sys.modules["nas_core"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
print(model.input_shape, model.predict(np.ones((1, 16, 1, 1), "uint16"), verbose=0).shape)
"""


def test_another_task_needs_only_a_space_and_a_data_set(tmp_path):
    write_table(tmp_path / "reviews.csv")
    (tmp_path / "quick.toml").write_text(
        "[recipe]\nepochs = 6\nlearning_rate = 0.02\nbatch_size = 16\n"
    )
    search = ["search", "text", "--data", "reviews.csv", "--config", "quick.toml", "--trials", 3,
              "--workers", 2, "--run", "T"]  # fmt: skip
    summary = found(*search, cwd=tmp_path)
    assert summary["trials"] == 3
    assert summary["best"]["score"] > 0.8
    assert summary["best"]["text"].startswith("[E(18,")
    outcome = found("retrain", "T", "--top", 1, "--epochs", 60, cwd=tmp_path)
    assert outcome["architectures"][0]["test_accuracy"][0] > 0.8
    assert outcome["baseline"]["text"].startswith("[E(18,64), ")
    (model,) = outcome["architectures"][0]["model"]
    (tmp_path / "new.txt").write_text("a lovely plot\n\nthe film was awful\n")
    rows = found("predict", model, "new.txt", cwd=tmp_path)["predictions"]
    assert [row["text"] for row in rows] == ["a lovely plot", "the film was awful"]
    assert [row["label"] for row in rows] == ["positive", "negative"]
    alone = subprocess.run(
        [sys.executable, "-c", ALONE, model], cwd=tmp_path, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert alone.stdout.strip() == "(None, 16, 1, 1) (1, 2)", alone.stderr
    nas("report", "T", cwd=tmp_path)
    assert summary["best"]["text"] in (tmp_path / "T/report.html").read_text()
    done = nas("search", "chain", "--data", "reviews.csv", "--run", "X", cwd=tmp_path, check=2)
    assert "expected a data set of images" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "X").exists()


def test_looking_at_texts(tmp_path):
    write_table(tmp_path / "reviews.csv")
    nas("data", "import", "reviews.csv", "--out", "data/reviews", "--length", 9, cwd=tmp_path)
    assert found("data", "check", "reviews", cwd=tmp_path)["image_shape"] == [9, 1, 1]
    texts = found("data", "show", "reviews", "--per-class", 1, cwd=tmp_path)["texts"]
    assert [row["class"] for row in texts] == ["negative", "positive"]
    assert "negative  " in nas("data", "show", "reviews", cwd=tmp_path).stdout
    nas("data", "show", "reviews", "--out", "x.png", cwd=tmp_path, check=2)


def test_the_mock_needs_no_texts(tmp_path):
    summary = found("search", "text", "--trainer", "mock", "--trials", 20, "--seed", 1, "--run", "M",
                    cwd=tmp_path)  # fmt: skip
    assert 0.5 < summary["best"]["score"] < 1.0
    done = nas("retrain", "M", "--data", "nothing", cwd=tmp_path, check=2)
    assert "nothing" in done.stderr
