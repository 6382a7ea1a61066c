"""What travels to a job: tasks, trainers, and the folders that it finds there."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_trainers import SPEC, Faulty, Meets
from tiny_data import write_tiny

from nas_core.cloud.jobs import BackOff, mark
from nas_core.cloud.places import Places
from nas_core.cloud.request import hyperparameters, job_arguments, job_name
from nas_core.cloud.tasks import SearchTask, TrialTask, read_task
from nas_core.cloud.trainers import decode_trainer, encode_trainer
from nas_core.errors import UsageError
from nas_core.executors.wire import encode_request
from nas_core.trainer.base import Job
from nas_core.trainer.build import build_model
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.mock import MockTrainer
from nas_core.trainer.recipe import QUICK

REQUEST = json.loads(encode_request(SPEC, Job(4, 9)))


@pytest.mark.parametrize(
    "task",
    [
        SearchTask({"space": "metaqnn", "trials": 4}, {"top": 1}),
        TrialTask({"class": "a:B", "fields": {}}, (REQUEST, REQUEST), "s3://bucket/x", 2),
    ],
)
def test_a_task_comes_back_from_hyperparameters(task: SearchTask | TrialTask) -> None:
    kind = "search" if isinstance(task, SearchTask) else "trial"
    assert read_task(*job_arguments(hyperparameters(kind, task.arguments()))) == task


def test_arguments_of_another_version_are_one_line() -> None:
    with pytest.raises(UsageError, match=r"options, retrain.*version"):
        read_task("search", {"strange": 1})


@pytest.mark.parametrize("trainer", [MockTrainer(noise=0.0), Faulty("leave", (1, 2))])
def test_a_trainer_of_json_values_travels(trainer: MockTrainer | Faulty) -> None:
    value = json.loads(json.dumps(encode_trainer(trainer)))
    assert decode_trainer(value, None) == trainer


def test_the_keras_trainer_travels_without_its_folder(tmp_path: Path) -> None:
    info = write_tiny(tmp_path / "here")
    trainer = KerasTrainer(info.path, QUICK.changed({"epochs": 1}), 0.5, build_model)
    value = json.loads(json.dumps(encode_trainer(trainer)))
    assert str(tmp_path) not in json.dumps(value)
    found = decode_trainer(value, tmp_path / "channel")
    assert found == KerasTrainer(tmp_path / "channel", trainer.recipe, 0.5, build_model)
    with pytest.raises(UsageError, match="channel 'data'"):
        decode_trainer(value, None)


def test_what_cannot_travel_is_refused(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Local:
        name: str = "local"

    for trainer in (Local(), Meets(tmp_path, 1), object()):
        with pytest.raises(UsageError, match="--executor process"):
            encode_trainer(trainer)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"no_such_module.*--image"):
        decode_trainer({"class": "no_such_module:A", "fields": {}}, None)


def config(base: Path, name: str, value: object) -> None:
    path = base / "input/config" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_places_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR", "SM_CHANNEL_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    places = Places.of_environment()
    assert places.model == tmp_path / "model"
    assert places.channel("data") is None
    (tmp_path / "input/data/data").mkdir(parents=True)
    assert places.channel("data") == tmp_path / "input/data/data"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("SM_CHANNEL_DATA", str(tmp_path / "elsewhere"))
    assert places.channel("data") == tmp_path / "elsewhere"
    config(tmp_path, "resourceconfig", {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    assert not places.is_first_host()
    config(tmp_path, "resourceconfig", {"current_host": "algo-1", "hosts": ["algo-2", "algo-1"]})
    assert places.is_first_host()


def test_hyperparameters_from_the_file_the_toolkit_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(tmp_path)
    monkeypatch.setenv("SM_HPS", '{"kind": "search"}')
    assert places.hyperparameters() == {"kind": "search"}
    # SageMaker's own toolkit wants every value as JSON: a string has quotes of its own
    config(tmp_path, "hyperparameters", {"kind": '"trial"', "arguments": '{"attempt":0}'})
    assert places.hyperparameters() == {"kind": "trial", "arguments": '{"attempt":0}'}
    (tmp_path / "input/config/hyperparameters.json").write_text("{")
    with pytest.raises(UsageError, match="hyperparameters"):
        places.hyperparameters()


def test_a_failure_is_short_and_has_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-0123456789")
    Places(tmp_path).fail("two\nlines with canary-secret-0123456789 " + "é" * 3000)
    text = (tmp_path / "output/failure").read_text()
    assert text.startswith("two lines with *** é")
    assert len(text) == 1024


def test_every_job_of_a_run_carries_its_mark() -> None:
    assert mark("run-1") in job_name("run-1", 3, 1)
    assert mark("run-1") in job_name("run-1")
    assert mark("run-2") not in job_name("run-1", 3, 1)


def test_waits_double_to_the_longest_and_differ_between_drivers() -> None:
    waits = BackOff("a", 1.0, 10.0)
    found = [waits.next() for _ in range(8)]
    for wait, full in zip(found, (1, 2, 4, 8, 10, 10, 10, 10), strict=True):
        assert full / 2 <= wait <= full
    assert found != [BackOff("b", 1.0, 10.0).next() for _ in range(8)]
    waits.reset()
    assert waits.next() <= 1.0
