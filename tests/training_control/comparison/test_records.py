"""Finished trainings survive crashes; damage and a second writer are refused."""

import json
from dataclasses import asdict, replace

import pytest

from nas_core.errors import DamageError, LockedError, RunError
from training_control.comparison.records import FILE, Record, Records, Request

REQUEST = Request("mnist", "cosine", 1e-3, 4, True, {"end": 0.1}, "abc")
RECORD = Record(
    key=REQUEST.key, task="mnist", method="cosine", initial_lr=1e-3, seed=4,
    parameters={"end": 0.1}, metric="accuracy", value=0.9, score=0.9, metrics={"accuracy": 0.9},
    validation_loss=0.3, losses=[2.0, None, 0.3], train_losses=[1.0, 0.5],
    hyperparameters={"learning_rate": [1e-3, 5e-4]}, epochs=10.0, decisions=2, examples=100,
    seconds=1.5, agent_seconds=0.1, interventions=1, rollbacks=0, crashed=False,
)  # fmt: skip


def test_a_record_is_read_as_it_was_written(tmp_path):
    with Records(tmp_path) as records:
        assert records.get(REQUEST.key) is None
        records.add(RECORD)
    with Records(tmp_path) as records:
        assert records.get(REQUEST.key) == RECORD
        assert len(records) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"task": "sst2"},
        {"method": "step"},
        {"initial_lr": 2e-3},
        {"seed": 5},
        {"test": False},
        {"parameters": {"end": 0.2}},
        {"context": "abd"},
    ],
)
def test_every_field_of_a_request_is_in_its_key(change):
    assert replace(REQUEST, **change).key != REQUEST.key


def test_a_torn_line_is_done_again(tmp_path):
    with Records(tmp_path) as records:
        records.add(RECORD)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"key": "torn", "ta')
    with Records(tmp_path) as records:
        assert len(records) == 1
        records.add(replace(RECORD, key="next"))
    with Records(tmp_path) as records:
        assert len(records) == 2


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", "{}", json.dumps({**asdict(RECORD), "more": 1}), '{"key": NaN}'],
)
def test_damage_is_named_with_its_line(tmp_path, line):
    with Records(tmp_path) as records:
        records.add(RECORD)
    with (tmp_path / FILE).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DamageError, match=r"in line 2 of .*trainings\.jsonl"):
        Records(tmp_path)
    with pytest.raises(DamageError):  # the lock was released
        Records(tmp_path)


def test_two_writers_are_refused(tmp_path):
    with Records(tmp_path), pytest.raises(LockedError, match="only writer"):
        Records(tmp_path)


def test_a_place_that_is_no_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="expected a folder to write to"):
        Records(tmp_path / "file")
