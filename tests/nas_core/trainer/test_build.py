"""Built chains: what they compute, by NumPy; precision, initialisation, refusals."""

import keras
import numpy as np
import pytest

from nas_core.errors import SpecError
from nas_core.spec import ChainSpec
from nas_core.trainer.build import build_model, servable_model


def build(text, shape=(6, 6, 3), **options):
    return build_model(ChainSpec.from_text(text), shape, **options)


def pixels(count=2, shape=(6, 6, 3)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def test_a_dense_net_by_hand():
    model = build("[FC(4,linear), SM(3)]", (2, 2, 1))
    (kernel, bias), (end_kernel, end_bias) = (
        (layer.kernel.numpy(), layer.bias.numpy()) for layer in model.layers if layer.weights
    )
    images = pixels(5, (2, 2, 1))
    hidden = (images.reshape(5, 4) / 127.5 - 1.0) @ kernel + bias
    logits = hidden @ end_kernel + end_bias
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(images)), wanted, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model(images.astype("float32"))), wanted, atol=1e-5)


def test_a_join_pads_below_and_right():
    model = build("[P(2,2), A(linear)@-1@0, SM(2)]")
    joined = keras.Model(model.input, model.get_layer("activation_1").output)
    got = np.asarray(joined(pixels()))  # [2, 6, 6, 6]
    assert got.shape == (2, 6, 6, 6)
    assert (got[:, 3:, :, 3:] == 0).all()
    assert (got[:, :, 3:, 3:] == 0).all()
    scaled = pixels().astype("float32") / 127.5 - 1.0
    np.testing.assert_allclose(got[..., :3], scaled, atol=1e-6)
    np.testing.assert_allclose(got[:, 0, 0, 3:], scaled[:, :2, :2].max(axis=(1, 2)), atol=1e-6)


def test_averaging_a_vector_changes_nothing():
    with_it, without = build("[C(4,3,1), GAP, GAP, SM(2)]"), build("[C(4,3,1), GAP, SM(2)]")
    without.set_weights(with_it.get_weights())
    assert (np.asarray(with_it(pixels())) == np.asarray(without(pixels()))).all()


def test_precision_is_the_models_own():
    before = keras.config.dtype_policy().name
    model = build("[C(4,3,1), GAP, SM(2)]", precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == before
    assert model.get_layer("conv_0").compute_dtype == "bfloat16"
    assert model.get_layer("conv_0").kernel.dtype == "float32"
    assert model.output.dtype == "float32"
    assert build("[C(4,3,1), GAP, SM(2)]").get_layer("conv_0").compute_dtype == "float32"


def test_the_initialiser_is_used():
    wide = build("[C(64,3,1), GAP, SM(2)]", initialiser="he_uniform").get_layer("conv_0")
    # He's uniform bound: sqrt(6 / (3 * 3 * 3)); Glorot's: sqrt(6 / (27 + 576))
    assert np.abs(wide.kernel.numpy()).max() == pytest.approx((6 / 27) ** 0.5, rel=0.02)
    narrow = build("[C(64,3,1), GAP, SM(2)]").get_layer("conv_0")
    assert np.abs(narrow.kernel.numpy()).max() == pytest.approx((6 / 603) ** 0.5, rel=0.02)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(SpecError, match="pool"):
        build("[P(2,2), P(2,2), P(2,2), SM(2)]")


def test_serving_at_the_stored_size():
    spec = ChainSpec.from_text("[C(4,3,1), GAP, SM(2)]")
    model = build_model(spec, (6, 6, 3))
    assert servable_model(model, spec, (6, 6, 3), (6, 6, 3)) is model
    served = servable_model(model, spec, (6, 6, 3), (12, 12, 3))
    assert served.input_shape == (None, 12, 12, 3)
    flat = np.full((1, 12, 12, 3), 77, np.uint8)
    wanted = np.asarray(model(flat[:, :6, :6]))
    np.testing.assert_allclose(np.asarray(served(flat)), wanted, atol=1e-6)


@pytest.mark.parametrize("stored", [(6, 6, 3), (12, 12, 3)])
def test_the_optimizer_is_not_saved(stored):
    spec = ChainSpec.from_text("[C(4,3,1), GAP, SM(2)]")
    model = build_model(spec, (6, 6, 3))
    model.compile("adam", "sparse_categorical_crossentropy")
    served = servable_model(model, spec, (6, 6, 3), stored)
    models = [served, *(layer for layer in served.layers if isinstance(layer, keras.Model))]
    assert not any(part.compiled for part in models)


def test_an_embedding_looks_tokens_up_in_any_type():
    model = build("[E(60000,2), GAP, SM(2)]", (3, 1, 1), precision="mixed_bfloat16")
    table = model.get_layer("embedding_0").embeddings.numpy()
    tokens = np.array([[59999, 256, 257], [0, 1, 0]]).reshape(2, 3, 1, 1)
    pooled = keras.Model(model.input, model.get_layer("gap_1").output)
    wanted = table[tokens[..., 0, 0]].mean(axis=1)
    for kind in ("uint16", "int32", "float32"):
        np.testing.assert_allclose(np.asarray(pooled(tokens.astype(kind))), wanted, atol=1e-3)
    assert model.input_shape == (None, 3, 1, 1)


def test_a_recurrent_layer_reads_in_order_and_both_ways():
    model = build("[E(5,2), BGRU(3), SM(2)]", (4, 1, 1))
    both = keras.Model(model.input, model.get_layer("recurrent_1").output)
    layer = model.get_layer("recurrent_1")
    layer.backward_layer.set_weights(layer.forward_layer.get_weights())
    tokens = np.array([1, 2, 3, 4]).reshape(1, 4, 1, 1)
    there, back = np.asarray(both(tokens)), np.asarray(both(tokens[:, ::-1]))
    assert there.shape == (1, 6)
    np.testing.assert_allclose(there[:, :3], back[:, 3:], atol=1e-6)
    assert np.abs(there[:, :3] - back[:, :3]).max() > 1e-4


def test_images_cannot_be_embedded():
    with pytest.raises(SpecError, match="data set of texts"):
        build("[E(9,4), GAP, SM(2)]", (8, 8, 3))
