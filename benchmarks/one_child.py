"""One short child in this process, three ways; prints its seconds and validation accuracy as JSON.

    python benchmarks/one_child.py {ours,loop,fit} {chain,nasnet} DATA_FOLDER

`ours` is the project's trainer. `loop` is the fastest loop known to us, written by hand for
TensorFlow: pixels on the device as uint8, one compiled step, the optimizer built before it,
grappler off. `fit` is `model.fit` with its defaults on float arrays. All three build the same
network, train the same epochs with the same optimizer and mirror augmentation, and evaluate
after each epoch. Imports are not timed.
"""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if sys.argv[1:2] != ["fit"]:  # defaults are defaults, TensorFlow's choice of kernels included
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

from nas_core.datasets import load_split, open_dataset
from nas_core.spec import ChainSpec, Spec
from nas_core.trainer.base import Job
from nas_core.trainer.build import build_model
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import QUICK
from nas_net_architecture.network import nasnet_like_small

CHAIN = "[C(32,3,1), C(32,3,1), P(2,2), C(64,3,1), P(2,2), GAP, SM(10)]"
EPOCHS = {"chain": 3, "nasnet": 1}
RECIPE = replace(QUICK, restarts=0, precision="float32", augmentation="mirror")
SHAPE = (32, 32, 3)


def spec_of(name: str) -> Spec:
    return ChainSpec.from_text(CHAIN) if name == "chain" else nasnet_like_small()


def ours(spec: Spec, folder: Path, epochs: int) -> float:
    result = KerasTrainer(folder, replace(RECIPE, epochs=epochs)).score(spec, Job(0, seed=1))
    if result.score is None:
        raise SystemExit(f"the child failed: {result.message}")
    return result.curve[-1].val_accuracy


def by_hand(spec: Spec, folder: Path, epochs: int) -> float:
    info = open_dataset(folder)
    train, validation = load_split(info, "train"), load_split(info, "validation")
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    keras.utils.set_random_seed(1)
    images, labels = tf.constant(train.images), tf.constant(train.labels)
    held, held_labels = tf.constant(validation.images), tf.constant(validation.labels)
    model = build_model(spec, SHAPE)
    optimizer = keras.optimizers.Adam(RECIPE.learning_rate)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(rows: tf.Tensor) -> None:
        batch = tf.image.random_flip_left_right(tf.gather(images, rows))
        with tf.GradientTape() as tape:
            loss = loss_of(tf.gather(labels, rows), model(batch, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)

    @tf.function
    def accuracy() -> tf.Tensor:
        predicted = tf.argmax(model(held, training=False), axis=1, output_type=tf.int32)
        return tf.reduce_mean(tf.cast(predicted == held_labels, tf.float32))

    rng, score = np.random.default_rng(1), 0.0
    for _ in range(epochs):
        order = rng.permutation(len(train.labels)).astype(np.int32)
        for start in range(0, len(order) - RECIPE.batch_size + 1, RECIPE.batch_size):
            step(tf.constant(order[start : start + RECIPE.batch_size]))
        score = float(accuracy())
    return score


def plain_fit(spec: Spec, folder: Path, epochs: int) -> float:
    info = open_dataset(folder)
    train, validation = load_split(info, "train"), load_split(info, "validation")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.RandomFlip("horizontal"), build_model(spec, SHAPE)]
    )
    model.compile(
        keras.optimizers.Adam(RECIPE.learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        np.asarray(train.images, np.float32), np.asarray(train.labels),
        validation_data=(np.asarray(validation.images, np.float32), np.asarray(validation.labels)),
        epochs=epochs, batch_size=RECIPE.batch_size, verbose=0,
    )  # fmt: skip
    return float(history.history["val_accuracy"][-1])


WAYS = {"ours": ours, "loop": by_hand, "fit": plain_fit}


def main() -> None:
    way, net, folder = sys.argv[1:4]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    started = time.perf_counter()
    score = WAYS[way](spec_of(net), Path(folder), EPOCHS[net])
    print(json.dumps({"seconds": time.perf_counter() - started, "accuracy": score}))


if __name__ == "__main__":
    main()
