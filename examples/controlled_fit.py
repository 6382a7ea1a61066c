"""A trained agent in your own `model.fit`: one import, one callback.

python examples/controlled_fit.py
"""

import keras
import numpy as np

from training_control import LearnedController

x = np.random.default_rng(0).normal(size=(2000, 20)).astype("float32")
y = (x[:, :3].sum(axis=1) > 0).astype("int32")

model = keras.Sequential(
    [keras.Input((20,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(2)]
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.2), loss, metrics=["accuracy"])  # 0.2 is far too much
controller = LearnedController(csv="runs/controlled_fit.csv")
model.fit(x, y, validation_split=0.2, epochs=15, verbose=2, callbacks=[controller])
