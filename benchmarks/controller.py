"""Milliseconds per architecture of the controllers: sampling and one update, masks on.

Forty decisions (both cells of four blocks), groups of 20, median over groups. Beside them the same
LSTM in TensorFlow: decision by decision and architecture by architecture in an eager loop, and as
one compiled graph for the group.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nas_core.agent import Proposal, Scored
from nas_core.space import sample as uniform_sample
from nas_core.space import spec_of
from nas_core.trainer.base import Result, Status
from nas_net_architecture.agent import Reinforce
from nas_net_architecture.cell_space import QUICK_CELLS, CellSpace
from nas_net_architecture.config import NASNET, LearnerConfig

SPACE = CellSpace(QUICK_CELLS, (32, 32, 3), 10)
BATCH, UNITS = 20, 100
STEPS, ACTIONS = SPACE.n_steps, SPACE.n_actions
BIAS = np.where(SPACE.fixed_masks, 0.0, -1e9).astype(np.float32)  # [T, A]
SPEC = spec_of(SPACE, uniform_sample(SPACE, np.random.default_rng(0)))


def ours(config: LearnerConfig) -> Callable[[int], None]:
    """Return one group: sampling and update; building specifications is not the controller's."""
    agent = Reinforce(SPACE, 0, config)

    def group(number: int) -> None:
        rng = np.random.default_rng(number)
        scored = []
        for trial, actions in agent.draw(BATCH):
            reward = float(rng.random())
            scored.append(Scored(Proposal(trial, SPEC, actions), reward, Result(Status.OK, reward)))
        agent.observe(scored)

    return group


class TensorFlowController:
    """The same LSTM and softmaxes with automatic differentiation and Keras's Adam."""

    def __init__(self, batch: int) -> None:
        import keras
        import tensorflow as tf

        self.tf, self.batch = tf, batch
        rng = np.random.default_rng(0)

        def weight(*shape: int) -> Any:
            return tf.Variable(rng.uniform(-0.1, 0.1, shape).astype(np.float32))

        self.embedding, self.into = weight(ACTIONS + 1, UNITS), weight(UNITS, 4 * UNITS)
        self.recurrent, self.softmax = weight(UNITS, 4 * UNITS), weight(STEPS, UNITS, ACTIONS)
        self.weights = [self.embedding, self.into, self.recurrent, self.softmax]
        self.adam = keras.optimizers.Adam(3.5e-4)
        self.adam.build(self.weights)

    def _step(self, previous: Any, hidden: Any, cell: Any, t: int) -> tuple[Any, Any, Any]:
        tf = self.tf
        gates = tf.gather(self.embedding, previous) @ self.into + hidden @ self.recurrent
        enter, forget, leave, candidate = tf.split(gates, 4, axis=1)
        cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(candidate)
        hidden = tf.sigmoid(leave) * tf.tanh(cell)
        return hidden @ self.softmax[t] + BIAS[t], hidden, cell

    def sample(self, noise: Any) -> Any:
        tf = self.tf
        hidden = cell = tf.zeros((self.batch, UNITS))
        action, actions = tf.fill([self.batch], ACTIONS), []
        for t in range(STEPS):
            logits, hidden, cell = self._step(action, hidden, cell, t)
            action = tf.argmax(logits + noise[t], axis=1, output_type=tf.int32)
            actions.append(action)
        return tf.stack(actions)

    def update(self, actions: Any, advantage: Any) -> None:
        tf = self.tf
        with tf.GradientTape() as tape:
            hidden = cell = tf.zeros((self.batch, UNITS))
            previous, log_prob = tf.fill([self.batch], ACTIONS), 0.0
            for t in range(STEPS):
                logits, hidden, cell = self._step(previous, hidden, cell, t)
                rows = tf.nn.log_softmax(logits)
                log_prob += tf.gather(rows, actions[t], batch_dims=1)
                previous = actions[t]
            loss = -tf.reduce_mean(log_prob * advantage)
        grads = tape.gradient(loss, self.weights)
        self.adam.apply_gradients(
            zip([tf.convert_to_tensor(grad) for grad in grads], self.weights, strict=True)
        )


def tensorflow(batch: int, compiled: bool) -> Callable[[int], None]:
    import tensorflow as tf

    controller = TensorFlowController(batch)
    draw, learn = controller.sample, controller.update
    if compiled:
        draw, learn = tf.function(draw), tf.function(learn)

    def group(number: int) -> None:
        rng = np.random.default_rng(number)
        noise = rng.gumbel(size=(STEPS, batch, ACTIONS)).astype(np.float32)
        actions = draw(tf.constant(noise))
        learn(actions, tf.constant(rng.random(batch).astype(np.float32)))
        controller.recurrent.numpy()  # wait for the update

    return group


def milliseconds(group: Callable[[int], None], batch: int, groups: int) -> tuple[float, float]:
    """Return the median and the least milliseconds per architecture after two groups."""
    times = []
    for number in range(groups + 2):
        started = time.perf_counter()
        group(number)
        times.append((time.perf_counter() - started) * 1e3 / batch)
    return statistics.median(times[2:]), min(times[2:])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--groups", type=int, default=50)
    options.add_argument("--no-tensorflow", action="store_true")
    given = options.parse_args()
    rows: list[tuple[str, int, Callable[[], Callable[[int], None]], int]] = [
        ("REINFORCE, LSTM 1 x 100", BATCH, lambda: ours(NASNET), given.groups),
        ("PPO (4 epochs), LSTM 1 x 100", BATCH,
         lambda: ours(replace(NASNET, algorithm="ppo")), given.groups),
        ("REINFORCE, LSTM 2 x 35", BATCH,
         lambda: ours(replace(NASNET, policy="lstm2")), given.groups),
        ("REINFORCE, independent logits", BATCH,
         lambda: ours(replace(NASNET, policy="independent")), given.groups),
    ]  # fmt: skip
    if not given.no_tensorflow:
        rows += [
            ("the same LSTM, one TensorFlow graph", BATCH, lambda: tensorflow(BATCH, True), 20),
            ("the same LSTM, TensorFlow, eager loop", 1, lambda: tensorflow(1, False), 5),
        ]
    print(f"\nControllers: {STEPS} decisions, {ACTIONS} actions, masks on\n")
    print("| controller | batch | median ms per architecture | least |\n|---|---|---|---|")
    for label, batch, make, groups in rows:
        median, least = milliseconds(make(), batch, groups)
        print(f"| {label} | {batch} | {median:.3f} | {least:.3f} |", flush=True)


if __name__ == "__main__":
    main()
