"""Every named model and task trains at tiny size; BERT through a stand-in for keras-hub."""

import types

import keras
import numpy as np
import pytest
from keras import ops
from tiny_texts import write_table

from nas_core.errors import DataError, UsageError
from training_control.controls import CONTROLS
from training_control.env import TrainingControlEnv, open_session
from training_control.initial import InitialWeights
from training_control.layers import LiveStack
from training_control.tasks import make_task, remote
from training_control.tasks.generated import curves, digits, reviews, tables
from training_control.tasks.models import (
    bilstm,
    cnn,
    mlp,
    parameters,
    resnet18,
    tiny_bert,
    vgg16,
)
from training_control.tasks.registry import GENERATED

FILES = {
    "leaves": ("leaf_corn/leaf_corn_64.npz", "cnn"),
    "cifar10": ("cifar10/cifar10_small.npz", "resnet18"),
    "mnist": ("mnist/mnist.npz", "vgg16"),
    "imdb": ("imdb/imdb_reviews.csv.gz", "bilstm"),
    "sst2": ("sst2/sst2.csv.gz", "tiny-bert"),
    "titanic": ("titanic/titanic.csv", "mlp"),
    "titanic-fare": ("titanic/titanic.csv", "mlp"),
}


def run(task):
    """Play two decisions of an episode with every control that the model offers."""
    env = TrainingControlEnv(task, tuple(CONTROLS), decisions=2)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(2):
        observation, reward, _, truncated, info = env.step(env.action_space.sample())
    assert truncated
    assert np.isfinite(observation).all()
    assert np.isfinite(reward)
    assert env.session.traces == 1
    return env, info


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FILES))
def test_named_tasks(name, shared_data):
    file, model = FILES[name]
    task = make_task(name, data=str(shared_data(file)), model=model, examples=60, epochs=1.0)
    env, info = run(task)
    assert np.isfinite(info["metrics"][task.metric])
    assert np.isfinite(env.session.evaluate("test").loss)


@pytest.mark.slow
def test_a_regression_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    np.savez(tmp_path / "n.npz", x=x, y=x.sum(1))
    run(make_task("california", data=str(tmp_path / "n.npz"), epochs=1.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(GENERATED))
def test_generated_tasks_are_learnt(name):
    task = make_task(name, epochs=20.0).starting_at(0.01)
    session = open_session(task, ("adam",))
    session.reset(0, task.start)
    first = session.evaluate().loss
    losses = []
    for _ in range(20):
        session.train(len(session.data.train))
        losses.append(session.evaluate().loss)
    assert min(losses) < 0.9 * first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "data", "options"),
    [
        (mlp, tables, {"units": 32}),
        (mlp, curves, {"units": 32}),
        (cnn, digits, {"filters": 4, "units": 32}),
        (bilstm, reviews, {"embedding": 8, "recurrent": 8, "units": 32}),
        (tiny_bert, reviews, {"width": 16}),
    ],
)
def test_models_are_saved_and_read_back(build, data, options, tmp_path):
    data = data(0)
    model = build(data, **options)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    x = data.test.inputs[:4]
    np.testing.assert_allclose(again(x), model(x), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "data"), [(cnn, digits), (resnet18, digits), (bilstm, reviews), (tiny_bert, reviews)]
)
def test_every_kernel_and_table_is_drawn_anew_for_another_seed(build, data):
    model = build(data(0), width=0.125) if build is resnet18 else build(data(0))
    stacks = {id(v) for x in model.layers if isinstance(x, LiveStack) for v in x.variables}
    weights = [
        v for v in model.trainable_variables
        if id(v) not in stacks and v.numpy().std() > 0 and "bias" not in v.name
    ]  # fmt: skip
    initial = InitialWeights(model)
    drawn = []
    for seed in (1, 2, 1):
        initial.draw(seed)
        drawn.append([v.numpy() for v in weights])
    for one, two, again, built in zip(*drawn, weights, strict=True):
        np.testing.assert_array_equal(one, again)
        assert np.abs(one - two).max() > 1e-3, built.path
        assert one.std() == pytest.approx(two.std(), rel=0.3)


@pytest.mark.slow
def test_networks_of_full_size_have_the_published_numbers_of_weights():
    class Cifar:
        class train:  # noqa: N801
            inputs = np.zeros((1, 32, 32, 3), np.uint8)

        classes = 10

    # He et al., for CIFAR with a 3x3 start: 11.17 million.
    assert parameters(resnet18(Cifar)) == 11_173_962
    # Simonyan & Zisserman: 14,714,688 in the 13 convolutions with their biases; here batch
    # normalisation's gamma and beta stand in for 4,224 biases, and the live stack for the rest.
    convolutions = 14_714_688 - 4_224 + 2 * 4_224
    stack = 512 * 256 + 3 * 256 * 256 + 4 * 256 + 256 * 10 + 10
    assert parameters(vgg16(Cifar)) == convolutions + stack


@pytest.mark.slow
def test_padding_has_no_say_in_the_tiny_bert():
    model = tiny_bert(reviews(0), width=16)
    tokens = reviews(0).test.inputs[:8].copy()
    before = np.array(model(tokens))
    table = model.layers[1]._tokens.embeddings
    changed = table.numpy()
    changed[0] += 100.0  # the vector of padding
    table.assign(changed)
    np.testing.assert_allclose(model(tokens), before, atol=1e-4)


class StandIn:
    """What the loaders use of keras_hub.models, with a preset called "tiny"."""

    @staticmethod
    def check(preset):
        if preset != "tiny":
            raise ValueError(f"Unknown preset {preset}")

    class BertTokenizer:
        @classmethod
        def from_preset(cls, preset):
            StandIn.check(preset)
            return types.SimpleNamespace(vocabulary_size=lambda: 30)

    class BertTextClassifierPreprocessor:
        @classmethod
        def from_preset(cls, preset, sequence_length):
            StandIn.check(preset)

            def prepare(texts):
                rows = [[1, *(2 + len(w) % 28 for w in text.split())] for text in texts]
                padded = [(row + [0] * sequence_length)[:sequence_length] for row in rows]
                return {"token_ids": np.array(padded, np.int64)}

            return prepare

    class BertBackbone:
        @classmethod
        def from_preset(cls, preset):
            StandIn.check(preset)
            names = ("token_ids", "segment_ids", "padding_mask")
            given = {n: keras.Input((None,), dtype="int32", name=n) for n in names}
            x = keras.layers.Embedding(30, 8)(given["token_ids"])
            x = x * ops.expand_dims(ops.cast(given["padding_mask"], "float32"), -1)
            return keras.Model(given, {"sequence_output": x, "pooled_output": ops.mean(x, 1)})


@pytest.mark.slow
def test_a_pretrained_bert_is_fine_tuned_from_its_own_weights(monkeypatch, tmp_path):
    hub = types.SimpleNamespace(models=StandIn)
    monkeypatch.setattr(remote.importlib, "import_module", lambda name: hub)
    table = str(write_table(tmp_path / "t.csv"))
    task = make_task("sst2", data=table, model="bert:tiny", examples=100, epochs=2.0)
    env, _ = run(task)
    session = env.session
    backbone = session.model.get_layer("bert_backbone")
    tables = []
    for seed in (1, 2):
        session.reset(seed, task.start)
        tables.append([w.numpy() for w in backbone.weights])
        session.train(32)
    np.testing.assert_array_equal(tables[0][0], tables[1][0])
    assert not np.array_equal(tables[0][0], backbone.weights[0].numpy())  # and it is tuned
    assert session.available[-1] == "dropout"
    with pytest.raises(DataError, match=r"received 'huge' .*Unknown preset huge"):
        make_task("sst2", data=table, model="bert:huge").load()


def test_without_keras_hub_one_line_says_so(monkeypatch, tmp_path):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(remote.importlib, "import_module", absent)
    with pytest.raises(UsageError, match=r"pip install keras-hub$"):
        make_task("sst2", data=str(write_table(tmp_path / "t.csv")), model="bert:tiny").load()
