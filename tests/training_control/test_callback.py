"""`LearnedController` in a user's own `fit`: acts, goes back, stays out of the way, survives."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from steady_brain import always

from nas_core.errors import RunError, UsageError
from training_control import brain as brains
from training_control.policy import FrozenPolicy

keras = pytest.importorskip("keras")

from training_control import LearnedController, prepare  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int32)
ALL = ("learning_rate", "dropout", "weight_decay")


def model(rate: float = 0.01, dropout: float = 0.3) -> Any:
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, "relu"),
        keras.layers.Dropout(dropout),
        keras.layers.Dense(2),
    ]
    net = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), loss, metrics=["accuracy"])
    return net


def fit(net: Any, *callbacks: Any, epochs: int = 3, **options: Any) -> Any:
    options = {"validation_data": (X[:32], Y[:32])} | options
    return net.fit(
        X, Y, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks), **options
    )


def test_acts_logs_and_says_what_it_offers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = model()
    controller = LearnedController(
        always("x0.5"), csv=tmp_path / "log.csv", log_dir=tmp_path / "board"
    )
    fit(net, controller)
    assert float(net.optimizer.learning_rate) == pytest.approx(0.01 / 8)
    assert [entry.event for entry in controller.log] == ["changed"] * 3
    rows = list(csv.reader((tmp_path / "log.csv").read_text().splitlines()))
    assert rows[0][:3] == ["epoch", "step", "event"] and [row[0] for row in rows[1:]] == [
        "1",
        "2",
        "3",
    ]
    assert any((tmp_path / "board").iterdir())
    said = capsys.readouterr().out
    assert "controls: learning_rate (not here: nothing)" in said
    assert "learning_rate 0.01 -> 0.005" in said


@pytest.mark.slow
def test_agent_off_is_the_plain_run_to_the_bit() -> None:
    plain, controlled = model(), model()
    one, other = (
        fit(plain).history,
        fit(controlled, LearnedController(always("x0.5"), agent="off")).history,
    )
    assert one == other
    for a, b in zip(plain.get_weights(), controlled.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Spoiler(keras.callbacks.Callback):
    """Ruins the weights in one epoch, before validation."""

    def __init__(self, epoch: int, value: float) -> None:
        super().__init__()
        self.spoiled, self.value = epoch, value

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_test_begin(self, logs: Any = None) -> None:
        if self.now == self.spoiled:
            self.model.set_weights(
                [w + self.value * (i + 1) for i, w in enumerate(self.model.get_weights())]
            )


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), 50.0])
def test_goes_back_when_validation_explodes(value: float) -> None:
    net = model()
    controller = LearnedController(always("keep"), verbose=False)
    seen: list[list[np.ndarray]] = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(net.get_weights())
    )
    fit(net, Spoiler(1, value), controller, watch, epochs=4)
    assert [entry.event for entry in controller.log] == [
        "kept",
        "rolled back",
        "kept",
        "kept",
    ]
    for before, after in zip(seen[0], seen[1], strict=True):
        np.testing.assert_array_equal(before, after)
    assert float(net.optimizer.learning_rate) == pytest.approx(0.005)
    assert np.isfinite(net.evaluate(X, Y, verbose=0)[0])


@pytest.mark.slow
def test_nan_in_the_first_epoch_goes_back_to_the_start() -> None:
    net = model()
    start = net.get_weights()
    fit(net, Spoiler(0, float("nan")), LearnedController(always("keep"), verbose=False), epochs=1)
    for before, after in zip(start, net.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


FAR_TOO_HIGH = 10.0  # the first step leaves nothing that could be learned from


def events(net: Any, controller: LearnedController, **options: Any) -> list[str]:
    fit(net, controller, epochs=6, **options)
    return [entry.event for entry in controller.log]


def test_a_rate_far_too_high_is_cut_from_the_first_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = prepare(model(FAR_TOO_HIGH))
    first = net.get_weights()
    controller = LearnedController(
        always("x0.5"), csv=tmp_path / "log.csv", log_dir=tmp_path / "board"
    )
    seen: list[tuple[list[np.ndarray], list[np.ndarray], bool]] = []

    def look(epoch: int, logs: Any) -> None:
        optimizer = [keras.ops.convert_to_numpy(v) for v in net.optimizer.variables]
        seen.append((net.get_weights(), optimizer, controller._fresh is None))

    fit(net, controller, keras.callbacks.LambdaCallback(on_epoch_end=look), epochs=6)
    assert [entry.event for entry in controller.log] == ["begun again"] + ["changed"] * 5
    for before, after in zip(first, seen[0][0], strict=True):
        np.testing.assert_array_equal(before, after)
    steps, rate, *moments = seen[0][1]
    assert (int(steps), float(rate)) == (0, pytest.approx(0.1))
    assert all((moment == 0.0).all() for moment in moments)
    assert [dropped for *_, dropped in seen[:2]] == [False, True]  # a quarter is over after two
    assert any((one != two).any() for one, two in zip(seen[0][0], seen[1][0], strict=True))
    assert controller.log[-1].validation_loss < 0.6  # it learns
    assert "begun again: learning_rate 10 -> 0.1" in capsys.readouterr().out
    assert (tmp_path / "log.csv").read_text().splitlines()[1].startswith("1,3,begun again,")
    (board,) = (tmp_path / "board").iterdir()
    assert b"controller/begun_again" in board.read_bytes()


@pytest.mark.slow
def test_not_where_something_is_learned_or_nothing_is_cut() -> None:
    assert events(model(0.1), LearnedController(always("x0.5"), verbose=False)) == ["changed"] * 6
    keeps = LearnedController(always("keep"), verbose=False)
    assert events(model(0.001), keeps) == ["kept"] * 6


@pytest.mark.slow
def test_not_after_a_quarter_of_the_epochs() -> None:
    controller = LearnedController(always("x0.5"), verbose=False)
    fit(model(FAR_TOO_HIGH), controller, epochs=4)
    assert [entry.event for entry in controller.log] == ["changed"] * 4


@pytest.mark.slow
def test_not_where_first_weights_or_first_loss_are_not_known() -> None:
    def controller(**options: Any) -> LearnedController:
        return LearnedController(always("x0.5"), verbose=False, **options)

    assert "begun again" in events(model(FAR_TOO_HIGH), controller())
    assert "begun again" not in events(model(FAR_TOO_HIGH), controller(monitor="loss"))
    assert "begun again" not in events(model(FAR_TOO_HIGH), controller(), initial_epoch=1)
    several = model(FAR_TOO_HIGH)
    several.compile(several.optimizer, several.loss, steps_per_execution=2)
    assert "begun again" not in events(several, controller())
    trained = model(0.01)
    fit(trained, epochs=1)
    trained.optimizer.learning_rate = FAR_TOO_HIGH
    assert "begun again" not in events(trained, controller())
    unbuilt = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(2)])
    unbuilt.compile(keras.optimizers.Adam(FAR_TOO_HIGH), several.loss)
    assert "begun again" not in events(unbuilt, controller())


@pytest.mark.slow
def test_not_after_a_resume() -> None:
    state = LearnedController(always("x0.5"), verbose=False)
    fit(model(FAR_TOO_HIGH), state, epochs=1)
    again = LearnedController(always("x0.5"), verbose=False)
    again.load_state(json.loads(json.dumps(state.state(), allow_nan=False)))
    assert "begun again" not in events(model(FAR_TOO_HIGH), again)


@pytest.mark.slow
def test_the_loss_before_training_is_that_of_the_first_batch() -> None:
    net = model(0.01, dropout=0.0)
    expected = net.evaluate(X[:32], Y[:32], verbose=0)[0]
    controller = LearnedController(always("keep"), verbose=False)
    fit(net, controller, epochs=1, shuffle=False)
    assert controller._steering is not None
    assert controller._steering.state()["untrained"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_between_validations_nothing_begins_again_or_is_rolled_back_twice() -> None:
    controller = LearnedController(always("x0.5"), every=1, verbose=False)
    assert events(model(FAR_TOO_HIGH), controller)[:5] == ["begun again", *["changed"] * 4]
    spoiled = LearnedController(always("keep"), every=1, verbose=False)
    fit(model(), Spoiler(0, float("nan")), spoiled, epochs=2)
    assert [entry.event for entry in spoiled.log] == ["rolled back", "kept"]
    spoiled = LearnedController(always("keep"), every=1, verbose=False)
    fit(model(), Spoiler(1, 50.0), spoiled, epochs=3)
    assert [entry.event for entry in spoiled.log].count("rolled back") == 1


@pytest.mark.slow
def test_prepared_models_offer_more_and_stay_what_they_are(tmp_path: Path) -> None:
    net = prepare(model())
    controller = LearnedController(always("x0.5", ALL), verbose=False)
    fit(net, controller, epochs=2)
    assert "dropout 0.3 -> 0.15" in controller.log[0].changed
    assert "weight_decay 0.01 -> 0.005" in controller.log[0].changed
    assert controller._live.values().dropout == pytest.approx(0.1)
    assert controller._steering is not None and controller._live.available == ALL
    net.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), net.predict(X, verbose=0), rtol=1e-5)
    assert [type(layer).__name__ for layer in again.layers] == ["Dense", "Dropout", "Dense"]


def test_prepared_dropout_decay_and_norms_take_effect_without_another_trace() -> None:
    traced: list[int] = []

    def loss(labels: Any, logits: Any) -> Any:
        traced.append(1)
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    net = model()
    net.compile(keras.optimizers.SGD(1e-3), loss)
    prepare(net)
    fit(net, epochs=1)
    count, parts = len(traced), net._training_control
    assert float(parts.norms[1]) == 3.0 and float(parts.norms[0]) > 0.0
    ones = np.ones((1000, 8), np.float32)
    shares = []
    for rate in (0.3, 0.7):
        parts.dropout.assign(rate)
        shares.append(float(np.mean(np.array(net.layers[1](ones, training=True)) == 0.0)))
    np.testing.assert_allclose(shares, (0.3, 0.7), atol=0.03)
    before = net.get_weights()[0]
    parts.weight_decay.assign(100.0)  # each step takes 100 * 0.001 of each weight
    fit(net, epochs=1)
    np.testing.assert_allclose(net.get_weights()[0], before * 0.9**3, atol=5e-3)
    assert len(traced) == count


def test_weight_decay_of_a_prepared_model_by_hand() -> None:
    net = prepare(model(rate=0.5))
    net._training_control.weight_decay.assign(0.4)
    net.optimizer.build(net.trainable_variables)
    before = [w.copy() for w in net.get_weights()]
    net.optimizer.apply([keras.ops.zeros_like(v) for v in net.trainable_variables])
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_allclose(new, old * (1 - 0.5 * 0.4), rtol=1e-6)


def test_a_prepared_model_that_is_compiled_again_is_to_be_prepared_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    net, controller = prepare(model()), LearnedController(always("keep", ALL))
    first = net.optimizer
    net.compile(keras.optimizers.SGD(0.1, weight_decay=0.05), net.loss)
    fit(net, controller, epochs=1)
    assert controller._live.available == ("learning_rate", "dropout")
    assert controller._live.gradient_norm() is None
    assert "compiled again: prepare(model) once more" in capsys.readouterr().out
    dropout = net._training_control.dropout
    prepare(net)
    fit(net, controller, epochs=1)
    assert controller._live.available == ALL
    assert "compiled again" not in capsys.readouterr().out
    parts = net._training_control
    assert parts.dropout is dropout and float(parts.weight_decay) == pytest.approx(0.05)
    before = [w.copy() for w in net.get_weights()]
    net.optimizer.apply([keras.ops.zeros_like(v) for v in net.trainable_variables])
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_allclose(new, old * (1 - 0.1 * 0.05), rtol=1e-6)
    net.compile(first, net.loss)  # it has its parts already: decay must not act twice
    prepare(net)
    before = [w.copy() for w in net.get_weights()]
    first.learning_rate = 0.5
    net._training_control.weight_decay.assign(0.4)
    first.build(net.trainable_variables)
    first.apply([keras.ops.zeros_like(v) for v in net.trainable_variables])
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_allclose(new, old * (1 - 0.5 * 0.4), rtol=1e-6)


def test_says_what_it_really_sees(capsys: pytest.CaptureFixture[str]) -> None:
    def sees(net: Any) -> str:
        controller = LearnedController(always("keep"))
        controller.set_model(net)
        controller.on_train_begin()
        return capsys.readouterr().out.strip().partition("sees: ")[2]

    net = model()
    assert sees(net) == "losses, progress, accuracy, learning_rate, optimizer"
    prepare(net)
    assert sees(net) == (
        "losses, progress, gradient norms, accuracy, learning_rate, dropout, weight_decay, optimizer"
    )
    named = keras.metrics.SparseCategoricalAccuracy(name="val_of_acc")
    for metrics, told in (([named], True), ([["mse"]], False), (None, False)):
        net.compile("ftrl", net.loss, metrics=metrics)
        assert ("accuracy" in sees(net)) is told
    assert sees(net).splitlines()[0] == "losses, progress, learning_rate, dropout"


@pytest.mark.slow
def test_goes_on_after_an_interruption_as_if_it_had_not_been(tmp_path: Path) -> None:
    def run(folder: Path, *more: Any) -> LearnedController:
        controller = LearnedController(
            always("x0.9"),
            csv=folder / "log.csv",
            backup=folder / "controller.json",
            verbose=False,
        )
        resume = keras.callbacks.BackupAndRestore(folder / "backup")
        net = model(dropout=0.0)
        fit(net, resume, Spoiler(0, float("nan")), controller, *more, epochs=4, shuffle=False)
        return controller

    whole = run(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", Stop(start=2))
    assert json.loads((tmp_path / "b" / "controller.json").read_text())["epoch"] == 2
    rest = run(tmp_path / "b")
    assert len(rest.log) == 4
    for one, two in zip(table(tmp_path / "a"), table(tmp_path / "b"), strict=True):
        assert one[:-1] == two[:-1]  # all but the seconds
    assert rest._steering is not None and whole._steering is not None
    ours, theirs = rest._steering.state(), whole._steering.state()
    assert ours["observer"]["counts"] == theirs["observer"]["counts"]
    assert not (tmp_path / "b" / "controller.json").exists()


def table(folder: Path) -> list[list[str]]:
    return list(csv.reader((folder / "log.csv").read_text().splitlines()))


class Stop(keras.callbacks.Callback):
    """Interrupts a training at the start or the end of an epoch."""

    def __init__(self, start: int | None = None, end: int | None = None) -> None:
        super().__init__()
        self.start, self.end = start, end

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.start:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.end:
            raise KeyboardInterrupt


def exploding(folder: Path, value: float, order: str, stop: Stop | None = None) -> Any:
    """Fit four epochs of which the second explodes; return the model and the controller."""
    controller = LearnedController(always("keep"), backup=folder / "c.json", verbose=False)
    parts = {"k": keras.callbacks.BackupAndRestore(folder / "keras"), "c": controller, "s": stop}
    net = model(dropout=0.0)  # Keras does not keep the seeds of dropout
    given = [parts[name] for name in order if parts[name] is not None]
    fit(net, Spoiler(1, value), *given, epochs=4, shuffle=False)
    return net, controller


@pytest.mark.slow
@pytest.mark.parametrize("order", ["kcs", "cks"])
@pytest.mark.parametrize("value", [float("nan"), 50.0])
def test_weights_that_exploded_do_not_come_back_after_an_interruption(
    tmp_path: Path, value: float, order: str
) -> None:
    whole, first = exploding(tmp_path / "a", value, order)
    assert [entry.event for entry in first.log] == ["kept", "rolled back", "kept", "kept"]
    with pytest.raises(KeyboardInterrupt):
        exploding(tmp_path / "b", value, order, Stop(start=2))
    rest, second = exploding(tmp_path / "b", value, order)
    assert [entry.event for entry in second.log][-2:] == ["kept", "kept"]
    for one, two in zip(whole.get_weights(), rest.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(whole.optimizer.variables, rest.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not list((tmp_path / "b").iterdir())


@pytest.mark.slow
def test_a_backup_of_keras_that_is_an_epoch_newer_or_older_does_no_harm(tmp_path: Path) -> None:
    for order in ("ksc", "csk"):  # killed after one of them has written and before the other
        with pytest.raises(KeyboardInterrupt):
            exploding(tmp_path / order, float("nan"), order, Stop(end=1))
        net, controller = exploding(tmp_path / order, 50.0, order)
        assert "rolled back" in [
            entry.event for entry in controller.log[1 if order == "ksc" else 2 :]
        ]
        assert np.isfinite(net.evaluate(X, Y, verbose=0)[0])


@pytest.mark.slow
def test_the_best_model_is_kept_over_an_interruption(tmp_path: Path) -> None:
    def run(spoiled: int, *more: Any) -> tuple[Any, LearnedController]:
        controller = LearnedController(
            always("keep"),
            best=tmp_path / "best.keras",
            backup=tmp_path / "c.json",
            verbose=False,
        )
        net = model(0.001, dropout=0.0)
        keras_own = keras.callbacks.BackupAndRestore(tmp_path / "keras")
        fit(net, Spoiler(spoiled, 0.5), keras_own, controller, *more, epochs=4)
        return net, controller

    with pytest.raises(KeyboardInterrupt):
        run(1, Stop(start=2))
    kept = (tmp_path / "best.keras").read_bytes()
    net, controller = run(3, Stop(start=9))
    losses = [entry.validation_loss for entry in controller.log]
    assert losses[0] < min(losses[1], losses[3])
    best = keras.models.load_model(tmp_path / "best.keras")
    assert best.evaluate(X[:32], Y[:32], verbose=0)[0] == pytest.approx(min(losses), rel=1e-6)
    assert min(losses) < net.evaluate(X[:32], Y[:32], verbose=0)[0]
    assert losses[0] < losses[2]
    assert (tmp_path / "best.keras").read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["best.keras"]


def warnings_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that all warnings go to: TensorFlow's would be errors inside `pytest.warns`."""
    said: list[str] = []
    monkeypatch.setattr("warnings.warn", lambda message, *_, **__: said.append(str(message)))
    return said


def test_the_best_model_is_saved_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "best.keras").write_text("an older one")

    def full(path: Path) -> None:
        Path(path).write_text("half")
        raise OSError("no space left")

    net = model()
    monkeypatch.setattr(net, "save", full)
    controller = LearnedController(always("keep"), best=tmp_path / "best.keras", verbose=False)
    said = warnings_of(monkeypatch)
    fit(net, controller)
    (warning,) = [text for text in said if "controller" in text]
    assert "cannot write the best model (OSError: no space left)" in warning
    assert len(controller.log) == 3
    assert (tmp_path / "best.keras").read_text() == "an older one"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(UsageError, match=r"ends in \.keras"):
        LearnedController(always("keep"), best=tmp_path / "best.h5")


@pytest.mark.slow
def test_a_crash_of_the_agent_ends_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    controller = LearnedController(always("x0.5"), verbose=False)
    monkeypatch.setattr(FrozenPolicy, "act", lambda *_: 1 / 0)
    net, plain = model(), model()
    said = warnings_of(monkeypatch)
    history = fit(net, controller)
    (warning,) = [text for text in said if "controller is off" in text]
    assert "ZeroDivisionError" in warning
    assert history.history == fit(plain).history


def test_a_rate_that_a_schedule_sets_too_is_taken_over_with_one_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, net = warnings_of(monkeypatch), model()
    controller = LearnedController(always("x0.5"), verbose=False)
    rates = (0.08, 0.04, 0.06, 0.02)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, _rate: rates[epoch])
    fit(net, schedule, controller, epochs=4)
    assert [e.learning_rate for e in controller.log] == pytest.approx([0.04, 0.02, 0.03, 0.01])
    (warning,) = [text for text in said if "controller" in text]
    assert "as the controller left it, 0.02, received 0.06: another callback sets it" in warning


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_a_rate_that_a_plateau_has_cut_stays_cut(
    monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    said, net = warnings_of(monkeypatch), model()
    controller = LearnedController(always("x0.9"), verbose=False)
    never = keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=1, min_delta=1e9, cooldown=9)
    fit(net, *((controller, never) if first else (never, controller)), epochs=4)
    assert float(net.optimizer.learning_rate) == pytest.approx(0.01 * 0.9**4 * 0.1)
    assert len([text for text in said if "controller" in text]) == 1


@pytest.mark.slow
def test_a_rate_that_keras_brings_back_is_where_it_starts(tmp_path: Path) -> None:
    def run(*more: Any) -> LearnedController:
        controller = LearnedController(always("x0.5"), verbose=False)  # without a backup
        fit(model(), controller, keras.callbacks.BackupAndRestore(tmp_path / "k"), *more)
        return controller

    with pytest.raises(KeyboardInterrupt):
        run(Stop(start=2))
    assert [entry.learning_rate for entry in run().log] == pytest.approx([0.01 / 8])


@pytest.mark.slow
def test_decides_every_few_batches() -> None:
    controller = LearnedController(always("x0.5"), every=2, verbose=False)
    fit(model(), controller, epochs=2)
    assert [(e.epoch, e.step) for e in controller.log] == [(1, 3), (1, 4), (1, 6), (2, 6)]


@pytest.mark.slow
def test_an_agent_that_crashed_stays_off_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*more: Any) -> tuple[Any, LearnedController]:
        controller = LearnedController(always("x0.5"), backup=tmp_path / "c.json", verbose=False)
        resume, net = keras.callbacks.BackupAndRestore(tmp_path / "keras"), model()
        fit(net, resume, controller, *more, epochs=4)
        return net, controller

    warnings_of(monkeypatch)
    crash = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: monkeypatch.setattr(
            FrozenPolicy, "act", (lambda *_: 1 / 0) if epoch == 1 else FrozenPolicy.act
        )
    )
    with pytest.raises(KeyboardInterrupt):
        run(crash, Stop(start=2))
    monkeypatch.undo()
    net, controller = run()
    assert [entry.event for entry in controller.log] == ["changed"]
    assert float(net.optimizer.learning_rate) == pytest.approx(0.005)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"weights": null}',
        '{"weights": {"name": "../x", "sha256": ""}}',
        "null",
    ],
)
def test_a_backup_that_is_none_is_one_line_before_training(tmp_path: Path, content: str) -> None:
    (tmp_path / "c.json").write_text(content)
    net = model()
    before = net.get_weights()
    with pytest.raises(RunError, match="expected the state of a controller") as raised:
        fit(net, LearnedController(always("keep"), backup=tmp_path / "c.json", verbose=False))
    assert len(str(raised.value).splitlines()) == 1
    for one, two in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_a_backup_of_another_model_or_damaged_is_one_line_before_training(tmp_path: Path) -> None:
    def controller() -> LearnedController:
        return LearnedController(always("keep"), backup=tmp_path / "c.json", verbose=False)

    with pytest.raises(KeyboardInterrupt):
        fit(model(), controller(), Stop(start=2))
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = other.get_weights()
    with pytest.raises(RunError, match=r"expected a controller's backup of this model"):
        fit(other, controller())
    np.testing.assert_array_equal(before[0], other.get_weights()[0])
    values = json.loads((tmp_path / "c.json").read_text())
    values["steering"]["values"]["learning_rate"] = "fast"
    (tmp_path / "c.json").write_text(json.dumps(values))
    with pytest.raises(RunError, match="expected the state of a controller"):
        fit(model(), controller())
    (weights,) = tmp_path.glob("*.1.npz")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunError, match="is not as it was written"):
        fit(model(), controller())


def test_what_cannot_be_written_is_one_warning_each_and_the_agent_stays_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    said = warnings_of(monkeypatch)
    nowhere = tmp_path / "file"
    controller = LearnedController(
        always("x0.5"),
        csv=nowhere / "log.csv",
        log_dir=nowhere / "board",
        backup=nowhere / "c.json",
        best=nowhere / "best.keras",
        verbose=False,
    )
    net = model()
    fit(net, controller)
    told = sorted(text.split(" (")[0] for text in said if "controller" in text)
    begin = "the controller cannot write"
    things = ("its CSV", "its TensorBoard log", "its backup", "the best model")
    assert told == [f"{begin} {thing}" for thing in things]
    assert [entry.event for entry in controller.log] == ["changed"] * 3
    assert float(net.optimizer.learning_rate) == pytest.approx(0.01 / 8)


def test_bad_input(tmp_path: Path) -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    net = model()
    net.compile(keras.optimizers.Adam(schedule), "mse")
    with pytest.raises(UsageError, match="a schedule and a controller cannot both decide"):
        fit(net, LearnedController(always("keep")))
    with pytest.raises(
        UsageError,
        match=r"expected 'val_loss' after the epoch, received .*give fit validation_data",
    ):
        fit(model(), LearnedController(always("keep"), verbose=False), validation_data=None)
    with pytest.raises(RunError, match="received one with another schema"):
        LearnedController("quadratic")
    brains.save(tmp_path / "b", always("keep"))
    path = tmp_path / "b" / "policy-000001.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match="as it was written"):
        LearnedController(tmp_path / "b")
    with pytest.raises(RunError, match="expected a brain in"):
        LearnedController(tmp_path / "nothing")
    for name in ("val_accuracy", "acc", "val_auc", "val_f1_score", "precision", "val_Recall_2"):
        with pytest.raises(UsageError, match=f"expected a loss to monitor.* received '{name}'"):
            LearnedController(always("keep"), monitor=name)
    for name in ("val_mae", "val_f1_loss", "loss"):
        LearnedController(always("keep"), monitor=name)
    with pytest.raises(UsageError, match="expected a brain as 'default', a folder or a Brain"):
        LearnedController(None)
    with pytest.raises(UsageError, match="agent 'brain' or 'off'"):
        LearnedController(always("keep"), every=0)


SCRIPT = """
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "stable_baselines3"):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Missing())
import keras, numpy as np
from training_control import LearnedController
net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
net.compile("sgd", "mse")
x = np.ones((8, 2), "float32")
net.fit(x, x[:, 0], validation_data=(x, x[:, 0]), epochs=2, verbose=0, callbacks=[LearnedController()])
"""


@pytest.mark.slow
def test_the_default_brain_needs_neither_torch_nor_stable_baselines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    assert "controls: learning_rate" in done.stdout
