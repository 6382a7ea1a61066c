"""Instances: no problem on two sides, whatever the seed; generated data are what they say."""

import numpy as np
import pytest

from nas_core.errors import UsageError
from training_control.tasks import PRESETS, TASKS, instances, make_task
from training_control.tasks.generated import COUNTS, GENERATED
from training_control.tasks.instances import SPLITS
from training_control.tasks.presets import FINE_TUNING

SIDES = {"meta-train": 48, "meta-validation": 16, "held-out": 24}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_sides_have_no_problem_in_common(seed):
    found = {side: instances(side, count, seed) for side, count in SIDES.items()}
    problems = {side: {(i.kind, i.data_seed) for i in rows} for side, rows in found.items()}
    for side, rows in found.items():
        assert len({row.key for row in rows}) == len(problems[side]) == SIDES[side]
        assert {row.split for row in rows} == {side}
        assert {row.kind for row in rows} == set(GENERATED)
        for other in set(SIDES) - {side}:
            assert not problems[side] & problems[other]
    again = {(i.kind, i.data_seed) for i in instances("held-out", 24, seed + 7)}
    assert again == problems["held-out"]  # a seed draws starts, never problems


def test_the_sides_share_no_example():
    arrays = {}
    for side in SPLITS:
        for instance in instances(side, 8):
            data = instance.task().load()
            for split in (data.train, data.validation, data.test):
                arrays.setdefault(side, set()).add(split.inputs.tobytes())
    sides = list(arrays)
    assert all(not arrays[a] & arrays[b] for n, a in enumerate(sides) for b in sides[n + 1 :])


def test_some_networks_are_met_when_held_out_only():
    trained = {i.model for side in ("meta-train", "meta-validation") for i in instances(side, 60)}
    held = {i.model for i in instances("held-out", 60)}
    assert trained == {"mlp", "cnn", "bilstm"}
    assert held == trained | {"resnet18", "tiny-bert"}


@pytest.mark.parametrize("name", list(GENERATED))
def test_generated_problems_depend_on_their_seed_alone(name):
    first, again, other = (GENERATED[name][2](seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.train.inputs, again.train.inputs)
    np.testing.assert_array_equal(first.test.targets, again.test.targets)
    assert not np.array_equal(first.train.targets, other.train.targets)
    assert [len(s) for s in (first.train, first.validation, first.test)] == list(COUNTS)
    if first.classes is not None:
        assert np.bincount(first.train.targets, minlength=first.classes).min() > 10


def test_presets():
    quick, paper = PRESETS["quick"], PRESETS["paper"]
    published = {"learning_rate": 0.001, "batch_size": 32, "dropout": 0.5, "layers": 2, "units": 64}
    for start in (quick.start, PRESETS["published"].start):
        assert {name: start.values()[name] for name in published} == published
    assert (paper.epochs, paper.start.batch_size, paper.start.optimizer) == (50.0, 64, "adam")
    assert (paper.start.learning_rate, paper.start.weight_decay) == (0.001, 0.0)
    decay = {"epsilon": 0.1, "epsilon_end": 0.01}
    assert paper.agent == {"learning_rate": 1e-4, "gamma": 0.99, **decay}
    assert sum(filter(None, (quick.sizes.train, quick.sizes.validation, quick.sizes.test))) == 2000


def test_bert_is_fine_tuned_as_published():
    task = make_task("sst2", data="x.csv", model="bert:folder", preset="published")
    assert task.start == FINE_TUNING
    assert (task.start.learning_rate, task.start.weight_decay) == (2e-5, 0.01)
    assert (task.warm_up_steps, task.pretrained) == (500, ("bert_backbone",))
    quick = make_task("sst2", data="x.csv", model="bert:folder")
    assert quick.warm_up_steps == 38  # a tenth of ten epochs of 1,200 texts


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mars", {}, "expected a task among leaves"),
        ("titanic", {}, "give a file titanic.csv"),
        ("image", {}, "expected data for the task image"),
        ("generated-tables", {"data": "x"}, "which is generated"),
        ("mnist", {"model": "bilstm"}, "expected a model among cnn, resnet18, vgg16"),
        ("sst2", {"model": "bert"}, "bert:PRESET"),
        ("mnist", {"preset": "slow"}, "expected a preset among quick"),
        ("mnist", {"examples": 3}, "10 examples or more"),
        ("mnist", {"epochs": 0.0}, "budget above 0"),
    ],
)
def test_wrong_tasks_are_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_task(name, **options)
    with pytest.raises(UsageError, match="expected a split among"):
        instances("train", 1)


def test_generated_tasks_say_so():
    for name in TASKS:
        data = None if TASKS[name].source else "somewhere"
        assert make_task(name, data=data).generated == name.startswith("generated-")
