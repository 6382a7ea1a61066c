"""Parts in processes: everything once, the trouble of one told, nothing finished lost."""

import functools
import json
import multiprocessing
from dataclasses import replace

import pytest
from part_doers import SEEDS, TRAINING, PartDoer

from nas_core.errors import DataError, RunError
from training_control.comparison.protocol import Protocol
from training_control.comparison.records import Records
from training_control.comparison.runner import Comparison
from training_control.comparison.side_by_side import train_side_by_side

PARTS = [(number, method) for number in (0, 1) for method in ("one", "two", "bad")]
KEYS = {f"{number} {method} {seed}" for number, method in PARTS for seed in range(SEEDS)}


def trained(folder, trouble="", workers=2, on_record=lambda record: None):
    """Return the keys that arrived, in the order of arriving."""
    arrived = []
    with Records(folder) as records:

        def keep(record):
            records.add(record)
            arrived.append(record.key)
            on_record(record)

        make = functools.partial(PartDoer, trouble)
        train_side_by_side(make, PARTS, records, workers, keep)
    return arrived


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_every_training_is_done_once(tmp_path, workers):
    arrived = trained(tmp_path, workers=workers)
    assert sorted(arrived) == sorted(KEYS)
    openings = (tmp_path / "test_openings.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["dataset"] for line in openings) == ["task 0", "task 1"]
    assert not multiprocessing.active_children()


def test_what_is_finished_is_not_done_again(tmp_path):
    with Records(tmp_path) as records:
        records.add(replace(TRAINING, key="0 one 0"))
    assert sorted(trained(tmp_path)) == sorted(KEYS - {"0 one 0"})


@pytest.mark.parametrize(
    ("trouble", "error", "line"),
    [
        ("kill", RunError, "one was killed"),
        ("data", DataError, "expected examples, received none"),
        ("bug", RunError, "unexpected ZeroDivisionError"),
    ],
)
def test_trouble_ends_everything_and_what_is_finished_is_kept(tmp_path, trouble, error, line):
    with pytest.raises(error, match=line):
        trained(tmp_path, trouble)
    assert not multiprocessing.active_children()
    with Records(tmp_path) as records:
        kept = set(records.known)
    assert "0 bad 0" in kept and kept <= KEYS  # what came before the trouble
    assert sorted(trained(tmp_path)) == sorted(KEYS - kept)


def test_ctrl_c_leaves_no_process_behind(tmp_path):
    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, on_record=interrupt)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_trainings(tmp_path):
    protocol = Protocol(
        ("generated-curves", "generated-tables"), baselines=("constant", "always-keep"), seeds=2,
        tuning=3, decisions=4, rates=(1e-3,), rate_seeds=1, epochs=1.0,
    )  # fmt: skip
    one = Comparison(protocol, [], tmp_path / "one").run()
    two = Comparison(protocol, [], tmp_path / "two").run(workers=2)
    assert _figures(one) == _figures(two)


def _figures(found):
    rated = {(*key, rate): rows for key, by in found.at_rates.items() for rate, rows in by.items()}
    kinds = (found.tuning, found.tuned, rated)
    assert rated
    return [
        {key: [(r.key, r.value, r.losses) for r in rows] for key, rows in kind.items()}
        for kind in kinds
    ]
