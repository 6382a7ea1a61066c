"""Children of a search under a brain: its rates, bad epochs taken back, all of it logged."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import nas, nas_here
from steady_brain import always
from tiny_data import write_tiny

from nas_core.datasets import DatasetInfo
from nas_core.errors import UsageError
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Epoch, Job, Result, Status
from nas_core.trainer.control import open_controller
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.tf_loop import TensorFlowLoop
from training_control import brain as brains
from training_control.policy import FrozenPolicy
from training_control.search_controller import SearchController

SPEC = ChainSpec.from_text("[C(4,3,1), P(2,2), FC(8), SM(3)]")
RECIPE = Recipe(
    epochs=3, batch_size=16, learning_rate=0.01, weight_decay=0.0, restarts=0, schedule="constant"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> DatasetInfo:
    return write_tiny(tmp_path_factory.mktemp("controlled") / "tiny")


def saved(folder: Path, move: str) -> str:
    brains.save(folder, always(move))
    return str(folder)


def score(tiny: DatasetInfo, recipe: Recipe) -> Result:
    return KerasTrainer(tiny.path, recipe).score(SPEC, Job(0, 0, 1))


def test_a_childs_rates_follow_the_brain_and_are_logged(tiny: DatasetInfo, tmp_path: Path) -> None:
    result = score(tiny, replace(RECIPE, controller=saved(tmp_path, "x0.5")))
    assert result.status is Status.OK, result.message
    assert [epoch.learning_rate for epoch in result.curve] == [0.01, 0.005, 0.0025]
    told = (result.details or {})["controller"]
    assert [entry["epoch"] for entry in told["interventions"]] == [1, 2, 3]
    assert told["interventions"][0] == {"epoch": 1, "event": "changed", "learning_rate": 0.005}


@pytest.mark.slow
def test_a_brain_that_keeps_everything_is_the_plain_training(
    tiny: DatasetInfo, tmp_path: Path
) -> None:
    plain = score(tiny, RECIPE)
    kept = score(tiny, replace(RECIPE, controller=saved(tmp_path, "keep")))
    assert kept.curve == plain.curve
    assert "controller" not in (plain.details or {})


@pytest.mark.slow
def test_epochs_that_explode_are_taken_back(tiny: DatasetInfo, tmp_path: Path) -> None:
    wild = replace(RECIPE, learning_rate=1e6, optimizer="sgd", controller=saved(tmp_path, "keep"))
    assert score(tiny, replace(wild, controller=None)).status is Status.DIVERGED
    result = score(tiny, wild)
    assert result.status is Status.OK, result.message
    assert all(math.isfinite(epoch.val_loss) for epoch in result.curve)
    events = (result.details or {})["controller"]["interventions"]
    assert events[0] == {"epoch": 1, "event": "rolled back", "learning_rate": 0.1}


@pytest.mark.slow
def test_a_child_whose_rate_was_far_too_high_begins_again(
    tiny: DatasetInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[np.ndarray]] = []
    train = TensorFlowLoop.train_epoch

    def watched(loop: TensorFlowLoop, *given: Any) -> tuple[float, float]:
        begun.append([w.numpy() for w in loop._weights] + loop.state())
        return train(loop, *given)

    monkeypatch.setattr(TensorFlowLoop, "train_epoch", watched)
    high = replace(RECIPE, epochs=6, learning_rate=10.0, controller=saved(tmp_path, "x0.5"))
    result = score(tiny, high)
    assert result.status is Status.OK, result.message
    told = (result.details or {})["controller"]["interventions"]
    assert [entry["event"] for entry in told] == ["begun again"] + ["changed"] * 5
    assert told[0]["learning_rate"] == 0.1
    for one, two in zip(begun[0], begun[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((one != two).any() for one, two in zip(begun[1], begun[2], strict=True))


def test_it_begins_again_only_where_it_knows_the_loss_before_training(tmp_path: Path) -> None:
    brain = saved(tmp_path, "x0.5")
    epoch = Epoch(1.0, 0.1, 0.95, 0.1, 0.01)
    for loss, again in ((1.0, True), (2.0, False), (math.nan, False)):
        controller = SearchController(brain, 0.01, "adam")
        controller.begin(loss)
        assert controller.see(epoch, 1, 6) is False
        assert controller.begins_again is again
        other = SearchController(brain, 0.01, "adam")
        other.load_state(json.loads(json.dumps(controller.state(), allow_nan=False)))
        assert other.begins_again is again
        assert other.see(epoch, 2, 6) is False
        assert not other.begins_again  # a third is over


def test_continues_from_its_state(tmp_path: Path) -> None:
    brain = saved(tmp_path, "x0.9")
    whole, half, rest = (SearchController(brain, 0.01, "adam") for _ in range(3))
    epochs = [Epoch(1.0 / n, 0.5, 1.1 / n, 0.5, 0.0) for n in range(1, 7)]
    for number, epoch in enumerate(epochs, 1):
        whole.see(epoch, number, 6)
        (half if number <= 3 else rest).see(epoch, number, 6)
        if number == 3:
            rest.load_state(half.state())
    assert rest.state() == whole.state()


def test_its_state_is_plain_json_after_a_first_epoch_that_exploded(tmp_path: Path) -> None:
    controller = SearchController(saved(tmp_path, "keep"), 0.01, "adam")
    assert controller.see(Epoch(math.nan, 0.1, math.nan, 0.0, 0.01), 1, 5) is True
    other = SearchController(saved(tmp_path, "keep"), 0.01, "adam")
    other.load_state(json.loads(json.dumps(controller.state(), allow_nan=False)))
    after = Epoch(1.0, 0.5, 1.0, 0.5, 0.005)
    assert controller.see(after, 2, 5) == other.see(after, 2, 5) is False
    assert controller.state() == other.state()
    assert controller.rate == pytest.approx(0.005)


def test_a_crash_of_the_agent_leaves_the_training_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = SearchController(saved(tmp_path, "x2"), 0.01, "adam")
    monkeypatch.setattr(FrozenPolicy, "act", lambda *_: 1 / 0)
    for number in (1, 2):
        assert controller.see(Epoch(1.0, 0.5, 1.0, 0.5, 0.01), number, 3) is False
    assert controller.rate == 0.01
    assert [entry["event"] for entry in controller.interventions] == [
        "off: ZeroDivisionError: division by zero"
    ]


def test_a_missing_brain_is_one_line(tiny: DatasetInfo, tmp_path: Path) -> None:
    result = score(tiny, replace(RECIPE, controller=str(tmp_path / "none")))
    assert result.status is Status.ERROR
    assert "expected a brain in" in result.message
    with pytest.raises(UsageError, match="expected the recipe's controller as the name or folder"):
        replace(RECIPE, controller=3)


@pytest.mark.parametrize(
    ("brain", "message"),
    [
        ("nowhere", "expected a brain in nowhere"),
        ("", "expected the recipe's controller as the name or folder of a brain"),
        ("quadratic", "another schema"),
    ],
)
def test_a_controller_that_cannot_be_leaves_no_run(
    tmp_path: Path, brain: str, message: str
) -> None:
    write_tiny(tmp_path / "tiny")
    begun = ("search", "metaqnn", "--data", "tiny", "--run", "R", "--controller", brain)
    done = nas_here(*begun, cwd=tmp_path, check=None)
    assert done.exit_code in (1, 2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "R").exists()


@pytest.mark.parametrize(("brain", "code"), [("nowhere", 1), ("", 2), ("quadratic", 1)])
def test_retraining_refuses_it_too(tmp_path: Path, brain: str, code: int) -> None:
    write_tiny(tmp_path / "tiny")
    mock = ("--trainer", "mock", "--trials", 2, "--run", "R")
    nas_here("search", "metaqnn", *mock, cwd=tmp_path)
    before = sorted((tmp_path / "R").rglob("*"))
    given = ("retrain", "R", "--data", "tiny", "--controller", brain)
    done = nas_here(*given, cwd=tmp_path, check=code)
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted((tmp_path / "R").rglob("*")) == before


def test_it_is_registered_and_the_core_finds_it(tmp_path: Path) -> None:
    assert open_controller(saved(tmp_path, "keep"), 0.02, "sgd").rate == 0.02
    assert "controller" not in RECIPE.to_json()
    steered = replace(RECIPE, controller="default")
    assert Recipe.from_json(steered.to_json()) == steered


@pytest.mark.slow
def test_search_retrain_and_report_under_the_default_brain(tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny")
    (tmp_path / "tiny.toml").write_text("[recipe]\nimage_size = 8\nrestarts = 0\n")
    asked = (
        "--data",
        "tiny",
        "--config",
        "tiny.toml",
        "--workers",
        1,
        "--trials",
        2,
        "--epochs",
        6,
    )
    nas("search", "metaqnn", *asked, "--controller", "default", "--run", "R", cwd=tmp_path)
    told = json.loads(nas("show", "R", 0, "--json", cwd=tmp_path).stdout)
    assert told["result"]["details"]["controller"]["brain"] == "default"
    nas("retrain", "R", "--top", 1, "--epochs", 6, "--controller", "default", cwd=tmp_path)
    steered = json.loads((tmp_path / "R" / "retrain.json").read_text())["controller"]
    assert len(steered) == 2 and all(each["brain"] == "default" for each in steered)
    nas("report", "R", cwd=tmp_path)
    page = (tmp_path / "R" / "report.html").read_text()
    assert "Under a controller" in page and "retrained" in page
