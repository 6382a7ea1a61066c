"""Saved models in other formats say the same of a picture."""

import json

import numpy as np
import pytest

from nas_core.errors import UsageError
from nas_core.export import export


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with two retrained models, the second one the better of its architecture."""
    import keras

    folder = tmp_path_factory.mktemp("run")
    (folder / "models").mkdir()
    for number in range(2):
        keras.utils.set_random_seed(number)
        image = keras.Input((8, 8, 3))
        flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1)(image))
        keras.Model(image, keras.layers.Dense(3, "softmax")(flat)).save(
            folder / "models" / f"m{number}.keras"
        )
    row = {
        "validation_accuracy": [0.5, 0.75],
        "model": [f"elsewhere/models/m{number}.keras" for number in range(2)],
    }
    (folder / "retrain.json").write_text(json.dumps({"architectures": [row]}))
    return folder


PICTURES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)


def expected(run):
    import keras

    return keras.models.load_model(run / "models" / "m1.keras").predict(PICTURES, verbose=0)


@pytest.mark.filterwarnings(r"ignore:\s*Warning. tf.lite.Interpreter:UserWarning")
@pytest.mark.slow
def test_a_runs_best_model_as_saved_model_and_tflite(run, tmp_path):
    import tensorflow as tf

    served = export(run, "saved_model", tmp_path / "served")
    loaded = tf.saved_model.load(str(served))
    np.testing.assert_allclose(loaded.serve(PICTURES), expected(run), atol=1e-6)

    lite = export(run, "tflite")
    assert lite == run / "models" / "m1.tflite"
    interpreter = tf.lite.Interpreter(str(lite))
    interpreter.allocate_tensors()
    for picture, wanted in zip(PICTURES, expected(run), strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
        interpreter.invoke()
        told = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        np.testing.assert_allclose(told, wanted, atol=1e-5)
    assert not [path for path in (run / "models").iterdir() if path.name.startswith(".")]


def test_a_copy_is_the_file(run, tmp_path):
    copied = export(run / "models" / "m0.keras", "keras", tmp_path / "c.keras")
    assert copied.read_bytes() == (run / "models" / "m0.keras").read_bytes()


def test_what_cannot_be_exported_is_told_in_one_line(run, tmp_path):
    with pytest.raises(UsageError, match="--format among keras"):
        export(run, "pickle")
    with pytest.raises(UsageError, match="nas retrain"):
        export(tmp_path, "keras")
    with pytest.raises(UsageError, match="is there already"):
        export(run, "keras")
