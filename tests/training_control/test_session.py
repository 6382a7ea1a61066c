"""A live training: each of the seven controls takes effect at trace count one."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny_training import ROOM, tiny_data, tiny_session

from nas_core.errors import UsageError
from training_control.controls import Hyperparameters
from training_control.layers import LiveDropout, LiveStack

PLAIN = Hyperparameters(0.01, 0.0, 0.0, "sgd", 32, 2, 32)


@pytest.fixture(scope="module")
def shared():
    return tiny_session()


@pytest.fixture
def session(shared):
    """Return a session that has been traced before, at its start."""
    shared.reset(3, PLAIN)
    shared.train(32)
    shared.reset(3, PLAIN)
    assert shared.traces == 1
    yield shared
    assert shared.traces == 1, "a control has traced the step again"


def weights(session):
    return session._optimizer.flat().numpy()


def one_step(session, **values):
    """Return how one step from the same start changes the weights."""
    session.reset(3, PLAIN)
    before = weights(session)
    session.apply(replace(PLAIN, **values))
    session.train(32)
    return weights(session) - before


def test_learning_rate(session):
    small, large = one_step(session), one_step(session, learning_rate=0.02)
    np.testing.assert_allclose(large, 2.0 * small, rtol=1e-3, atol=1e-7)
    assert np.abs(small).max() > 0.0


def test_dropout(session):
    session.apply(replace(PLAIN, dropout=0.7))
    losses = {session.train(128).loss for _ in range(2)}
    assert len(losses) == 2
    kept = one_step(session)
    assert np.abs(one_step(session, dropout=0.7) - kept).max() > 1e-4


def test_weight_decay(session):
    plain, decayed = one_step(session), one_step(session, weight_decay=0.1)
    session.reset(3, PLAIN)
    kernels = np.concatenate(
        [np.ravel(v) if v.shape.rank > 1 else np.zeros(v.shape) for v in session._weights]
    )
    np.testing.assert_allclose(decayed - plain, -0.01 * 0.1 * kernels, rtol=1e-3, atol=1e-7)


def test_optimizer(session):
    steps = {name: one_step(session, optimizer=name) for name in ("sgd", "adam", "rmsprop")}
    moved = np.abs(steps["sgd"]) > 1e-4  # gradients above 0.01: far above every epsilon
    # First steps: Adam's are the rate, RMSprop's the rate over sqrt(0.1), SGD's the gradient's.
    np.testing.assert_allclose(np.abs(steps["adam"][moved]), 0.01, rtol=0.02)
    np.testing.assert_allclose(np.abs(steps["rmsprop"][moved]), 0.01 / np.sqrt(0.1), rtol=0.05)
    assert np.abs(steps["sgd"][moved]).std() > 1e-4
    assert not np.allclose(one_step(session, optimizer="adamw", weight_decay=0.1), steps["adam"])


def test_batch_size(session):
    assert session.train(128).steps == 4
    session.apply(replace(PLAIN, batch_size=128))
    assert session.train(128).steps == 1
    session.apply(replace(PLAIN, batch_size=48))
    progress = session.train(128)
    assert (progress.steps, progress.examples) == (3, 128)


def test_layers(session):
    for layers in (1, 3, 4):
        before = session.evaluate().loss
        session.apply(replace(session.hyperparameters, layers=layers))
        after = session.evaluate().loss
        assert (after == pytest.approx(before, rel=1e-5)) == (layers > 1)  # growth preserves
        session.train(64)
        stack = session.model.layers[-1]
        assert stack.depth == layers
    assert not np.allclose(stack.kernels[3].numpy(), np.eye(ROOM))  # the new layer learns


def test_units(session):
    before = session.evaluate().loss
    session.apply(replace(PLAIN, units=64))
    assert session.evaluate().loss == pytest.approx(before, rel=1e-5)
    stack = session.model.layers[-1]
    assert not stack.kernels[-1].numpy()[32:].any()
    session.train(64)
    assert stack.kernels[-1].numpy()[32:].any()  # the new units have been given influence
    session.apply(replace(PLAIN, units=32))
    assert stack.width == 32


def test_a_reset_draws_new_weights_for_a_new_seed_and_the_same_for_the_same(session):
    runs = []
    for seed in (3, 4, 3):
        session.reset(seed, replace(PLAIN, dropout=0.5, optimizer="adam"))
        runs.append((weights(session), session.train(200).loss, session.evaluate().loss))
    np.testing.assert_array_equal(runs[0][0], runs[2][0])
    assert runs[0][1:] == runs[2][1:]
    assert np.abs(runs[0][0] - runs[1][0]).max() > 0.1


def test_a_snapshot_restores_everything(session):
    session.train(64)
    session.apply(replace(PLAIN, optimizer="adam", layers=3, units=64, dropout=0.3))
    snapshot, seen = session.snapshot(), session.evaluate()
    before = [v.numpy() for v in session._all]
    session.apply(replace(PLAIN, learning_rate=0.1, layers=1))
    session.train(256)
    assert session.evaluate().loss != seen.loss
    session.restore(snapshot)
    for variable, value in zip(session._all, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert session.evaluate() == seen
    assert session.hyperparameters.layers == 3


def test_it_learns(session):
    session.reset(0, replace(PLAIN, optimizer="adam"))
    first = session.evaluate()
    for _ in range(12):
        progress = session.train(128)
    last = session.evaluate("test")
    assert progress.finite
    assert last.loss < 0.5 * first.loss
    assert last.metrics["accuracy"] > 0.9
    assert last.score == last.metrics["accuracy"]


def test_a_divergence_is_seen_and_stops_early(session):
    session.apply(replace(PLAIN, learning_rate=1e12))
    progress = session.train(128 * 20)
    assert not progress.finite
    assert progress.steps < 4 * 20


def test_only_what_a_model_has_can_be_controlled(session):
    assert session.available == (
        "learning_rate", "weight_decay", "optimizer", "batch_size", "dropout", "layers", "units",
    )  # fmt: skip
    assert session.room == (4, ROOM)
    inputs = keras.Input((8,))
    plain = tiny_session(model=keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    assert plain.available == ("learning_rate", "weight_decay", "optimizer", "batch_size")
    inputs = keras.Input((8,))
    dropping = keras.Model(inputs, keras.layers.Dense(2)(LiveDropout()(inputs)))
    assert tiny_session(model=dropping).available[-1] == "dropout"


def test_wrong_sessions_are_refused():
    inputs = keras.Input((8,))
    with pytest.raises(UsageError, match="expected a model with 2 outputs, received 3"):
        tiny_session(model=keras.Model(inputs, LiveStack(3)(inputs)))
    fresh = tiny_session(("adam",))
    with pytest.raises(UsageError, match="expected an optimizer among adam"):
        fresh.reset(0, PLAIN)
    with pytest.raises(UsageError, match="received 2 of 1000"):
        fresh.reset(0, replace(PLAIN, optimizer="adam", units=1000))


def test_a_regression():
    session = tiny_session(("adam",), tiny_data(regression=True))
    session.reset(0, replace(PLAIN, optimizer="adam"))
    for _ in range(15):
        session.train(128)
    found = session.evaluate()
    assert found.loss == pytest.approx(found.metrics["mse"])
    assert found.metrics["r2"] > 0.5


def test_pretrained_layers_and_warm_up():
    from training_control.session import Session

    inputs = keras.Input((8,))
    kept = keras.layers.Dense(16, name="backbone")
    model = keras.Model(inputs, keras.layers.Dense(2)(kept(inputs)))
    first, last = kept.kernel.numpy(), model.layers[-1].kernel.numpy()
    made = Session(
        model, tiny_data(), optimizers=("sgd",), pretrained=("backbone",), warm_up_steps=4
    )
    plain = Session(model, tiny_data(), optimizers=("sgd",), pretrained=("backbone",))
    made.reset(1, PLAIN)
    np.testing.assert_array_equal(kept.kernel.numpy(), first)
    assert not np.allclose(model.layers[-1].kernel.numpy(), last)
    before = weights(made)
    made.train(32)
    quarter = weights(made) - before
    plain.reset(1, PLAIN)
    before = weights(plain)
    plain.train(32)
    np.testing.assert_allclose(4.0 * quarter, weights(plain) - before, rtol=1e-3, atol=1e-7)
