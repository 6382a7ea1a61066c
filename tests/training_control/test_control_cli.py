"""`nas control`: help, tasks, bad input, and one whole comparison of real trainings."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from nas_core.cli.app import app
from nas_core.cli.output import check_writable


def nas(*arguments: str):
    return CliRunner().invoke(app, ["control", *arguments])


@pytest.mark.parametrize("verb", ["train", "run", "compare", "tasks"])
def test_every_verb_has_an_example(verb):
    shown = nas(verb, "--help")
    assert shown.exit_code == 0
    assert f"nas control {verb}" in " ".join(shown.output.split()).replace("│", "")


def test_other_verbs_do_not_wait_for_it():
    code = "import sys, nas_core.cli.app; print('training_control' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    code = "import sys, training_control.cli; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_it_is_listed_among_the_verbs():
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert "control" in shown.output


def test_tasks_are_listed_for_people_and_machines():
    names = [row["task"] for row in json.loads(nas("tasks", "--json").stdout)]
    assert {"leaves", "cifar10", "mnist", "imdb", "sst2", "titanic"} <= set(names)
    shown = nas("tasks").stdout
    assert all(name in shown for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--task", "leafs"), "expected a task among leaves"),
        (("run", "--task", "mnist:cnn"), "given apart (--model cnn)"),
        (("run", "--task", "generated-tables", "--data", ""), "expected no data for generated"),
        (("run", "--task", "leaves", "--data", ""), "received none: give an .npz file"),
        (("run", "--task", "generated-tables", "--model", "mlp:x"), "expected a model among mlp"),
        (("run", "--task", "generated-tables", "--model", "mlp:"), "expected a model among mlp"),
        (("run", "--task", "generated-tables", "--model", ""), "expected a model among mlp"),
        (("run", "--task", "sst2", "--model", "bert:"), "expected bert:PRESET or bert:FOLDER"),
        (("run", "--task", "sst2", "--model", "bert"), "expected bert:PRESET or bert:FOLDER"),
        (("run", "--task", "generated-tables", "--epochs", "inf"), "expected a budget above 0"),
        (("run", "--task", "generated-tables", "--epochs", "nan"), "expected a budget above 0"),
        (("run", "--task", "generated-tables", "--epochs", "1e308"), "expected a budget above 0"),
        (("compare", "--tasks", "leaves", "--epochs", "inf"), "expected a budget above 0"),
        (("train", "--out", "/dev/null"), "received /dev/null, and /dev/null is a file"),
        (("train", "--out", "/dev/null/x"), "received /dev/null/x, and /dev/null is a file"),
        (("run", "--task", "titanic"), "expected data for the task titanic"),
        (("run", "--task", "leaves", "--agent", "ppo"), "expected --agent brain or off"),
        (("run", "--task", "leaves", "--initial-lr", "-1"), "expected a learning rate above 0"),
        (("run", "--task", "leaves", "--brain", "nowhere"), "expected a brain in nowhere"),
        (("compare", "--tasks", "leafs"), "expected a task among leaves"),
        (("compare", "--tasks", "leaves", "--data", "leaves"), "expected --data as NAME=FILE"),
        (
            ("compare", "--tasks", "leaves", "--data", "mnist=x"),
            "expected data for tasks among leaves",
        ),
        (("compare", "--tasks", "leaves", "--rates", "fast"), "expected --rates as numbers"),
        (("compare", "--tasks", "leaves", "--rates", "0"), "expected a learning rate above 0"),
        (("compare", "--tasks", "leaves", "--seeds", "0"), "expected 1 or more seeds"),
        (("compare", "--tasks", "leaves", "--preset", "slow"), "expected a preset among quick"),
        (("compare", "--tasks", "leaves", "--baselines", "fixed"), "expected baselines among"),
        (("compare", "--tasks", "leaves", "--agents", "sac"), "expected agents among default"),
        (
            ("compare", "--tasks", "leaves", "--agents", "default,default"),
            "expected agents with names of their own",
        ),
        (
            ("compare", "--tasks", "leaves", "--agents", "a=x,a=y"),
            "expected agents with names of their own",
        ),
        (
            ("compare", "--tasks", "leaves", "--data", "leaves=x,leaves=y"),
            "expected each name of --data once",
        ),
        (
            ("compare", "--tasks", "generated-tables", "--json", "/dev/null/x.json"),
            "expected --json as a file to write",
        ),
        (("train", "--out", "x", "--agent", "sac"), "expected an agent among ppo, dqn"),
        (("train", "--out", "x", "--preset", "quick"), "expected --preset ours or paper"),
        (("train", "--out", "x", "--problems", "0"), "expected --problems of 1 or more"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    said = nas(*arguments)
    assert said.exit_code in (1, 2)
    assert message in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    assert "Traceback" not in said.output


def test_a_file_that_cannot_be_written_leaves_no_folder(tmp_path):
    (tmp_path / "file").touch()
    said = nas("compare", "--tasks", "generated-tables", "--json", str(tmp_path / "file" / "f.json"),
               "--out", str(tmp_path / "out"))  # fmt: skip
    assert said.exit_code == 2
    check_writable(tmp_path / "new" / "folder" / "f.json", "--json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_a_run_without_tensorboard_writes_everything_else(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    done = nas("run", "--task", "generated-tables", "--epochs", "1", "--decisions", "2",
               "--log", str(tmp_path / "log"))  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "no log for TensorBoard, which is not installed: pip install tensorboard" in done.stderr
    written = {path.name for path in (tmp_path / "log").iterdir()}
    assert written == {"result.json", "decisions.csv", "curves.png", "last.keras", "best.keras"}


@pytest.mark.slow
def test_a_run_under_the_brain_and_a_plain_one(tmp_path):
    common = ("run", "--task", "generated-tables", "--epochs", "2", "--decisions", "4", "--json")
    steered = nas(*common, "--initial-lr", "1", "--log", str(tmp_path / "log"))
    assert steered.exit_code == 0, steered.output
    result = json.loads(steered.stdout.splitlines()[-1])
    assert result["interventions"] > 0
    assert result["test"] is None
    with (tmp_path / "log" / "decisions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert float(rows[0]["learning_rate"]) <= 0.1  # the first decision clips
    assert (tmp_path / "log" / "curves.png").stat().st_size > 1000
    assert list((tmp_path / "log" / "tensorboard").iterdir())
    seen = [float(row["validation_loss"]) for row in rows]
    assert loss_of(tmp_path / "log" / "last.keras") == pytest.approx(seen[-1], rel=1e-5)
    assert loss_of(tmp_path / "log" / "best.keras") == pytest.approx(min(seen), rel=1e-5)
    plain = [json.loads(nas(*common, "--agent", "off", "--test").stdout) for _ in range(2)]
    assert plain[0]["test"] == plain[1]["test"]
    assert plain[0]["interventions"] == 0


def loss_of(path):
    """Return a saved model's validation loss on the tables of the run above."""
    import keras

    import training_control.layers  # noqa: F401  # what such models are made of
    from training_control.tasks import make_task

    data = make_task("generated-tables", epochs=2.0).load().validation
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return float(loss(data.targets, keras.models.load_model(path)(data.inputs)))


@pytest.mark.slow
def test_the_best_model_is_kept_where_the_last_one_is_worse(tmp_path):
    common = ("run", "--task", "generated-tables", "--epochs", "2", "--decisions", "4", "--json")
    done = nas(*common, "--agent", "off", "--initial-lr", "1", "--log", str(tmp_path))
    assert done.exit_code == 0, done.output
    best, last = (loss_of(tmp_path / f"{name}.keras") for name in ("best", "last"))
    assert best < last
    shown = " ".join(nas("run", "--help").output.replace("│", "").split())
    assert "best.keras, last.keras" in shown


@pytest.mark.slow
def test_off_is_the_plain_training_to_the_bit():
    from training_control.comparison.methods import Bench
    from training_control.env import open_session
    from training_control.one_run import train_once
    from training_control.tasks import make_task

    task = make_task("generated-tables", epochs=1.0)
    ours = train_once(task, None, seed=3, decisions=4, test=True).outcome
    session = open_session(task, (task.start.optimizer,))
    session.reset(3, task.start)
    for _ in range(4):
        session.train(Bench(task, (), 4).budget(True).interval)
    assert ours.test == session.evaluate("test")


@pytest.mark.slow
def test_schedule_free_is_keras_own_on_the_sessions_weights_and_order():
    import keras

    from training_control.comparison.methods import Bench
    from training_control.tasks import make_task

    task = make_task("generated-curves", epochs=1.0)
    session = Bench(task, (), 4).schedule_free
    session.reset(5, task.start)
    first = session.evaluate().loss
    session.train(320)
    after = session.evaluate().loss
    assert after < first
    held = [np.copy(w) for w in session.model.get_weights()]
    session.evaluate()
    assert all(np.array_equal(a, b) for a, b in zip(held, session.model.get_weights(), strict=True))
    session.reset(5, task.start)
    session.train(320)
    assert session.evaluate().loss == after
    assert isinstance(session._free._keras, keras.optimizers.ScheduleFreeAdamW)


@pytest.mark.slow
def test_a_comparison_of_real_trainings_and_its_resumption(tmp_path):
    arguments = (
        "compare", "--tasks", "generated-tables,generated-curves", "--seeds", "2", "--tuning", "3",
        "--decisions", "4", "--epochs", "1", "--rates", "1e-3,1", "--rate-seeds", "1",
        "--no-untrained", "--out", str(tmp_path / "out"), "--json", str(tmp_path / "f.json"),
    )  # fmt: skip
    first = nas(*arguments)
    assert first.exit_code == 0, first.output
    written = json.loads((tmp_path / "f.json").read_text())
    methods = {row["method"] for row in written["rows"]}
    assert {"cosine", "schedule-free", "grid-search", "default", "default-replay"} <= methods
    assert {row["metric"] for row in written["rows"]} == {"accuracy", "mse"}
    assert (tmp_path / "out" / "generated-tables-over-time.png").exists()
    lines = (tmp_path / "out" / "trainings.jsonl").read_text()
    again = nas(*arguments)
    assert again.stdout == first.stdout
    assert (tmp_path / "out" / "trainings.jsonl").read_text() == lines
