"""Files from strangers: refused in one line before they can do anything."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_corpus import GADGETS, archives, keras_file, layers, linked_weights, looped_weights
from hostile_figures import Watch, figure_archives, figure_corruption, figure_mutants

from nas_core.datasets.text_tables import read_text_table
from nas_core.errors import DataError, UsageError
from nas_core.evaluation import load_model
from nas_core.files import parse_json, read_json, write_json
from nas_core.saved_models import check_saved_model
from nas_core.tables.files import array, open_arrays

BOMB = b'{"class_name": "' + b"x" * (300 << 20) + b'"}'


def test_archives_that_attack_are_refused():
    figure = figure_archives()
    assert figure.ok, figure


def test_an_archive_that_attacks_is_named(tmp_path):
    assert len(archives(tmp_path)) >= 12


def test_mutated_artefacts_run_nothing():
    figure = figure_mutants(80, keras=False)
    assert figure.ok, figure


def test_the_watch_sees_what_a_pickle_would_run(tmp_path):
    """The figure above could not fail if it saw nothing."""
    import pickle

    watch = Watch(on=True)
    watch.start()
    with pytest.raises(AttributeError):
        pickle.loads(b"cos\nno_such_function\n.")
    watch.on = False
    assert watch.seen == ["pickle.find_class"]


@pytest.mark.slow
def test_every_damaged_file_of_a_run_is_survived():
    figure = figure_corruption(1)
    assert figure.ok, figure


def test_a_plain_model_passes_without_keras(tmp_path):
    keras_file(tmp_path / "m.keras")
    code = (
        "import sys; from pathlib import Path; from nas_core.saved_models import check_saved_model;"
        f"check_saved_model(Path({str(tmp_path / 'm.keras')!r}));"
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


@pytest.mark.parametrize("gadget", list(GADGETS))
def test_a_model_that_would_run_something_is_refused(tmp_path, gadget):
    path = keras_file(tmp_path / "m.keras", layers(GADGETS[gadget]))
    with pytest.raises(UsageError, match="cannot read") as caught:
        load_model(path)  # before Keras is imported
    assert "\n" not in str(caught.value)


def nested(depth):
    config = layers()
    for _ in range(depth):
        config = {**layers(), "config": {"name": "s", "layers": [config]}}
    return config


MEMBERS = {
    "external link": {"model__weights__h5": linked_weights()},
    "endless loop": {"model__weights__h5": looped_weights()},
    "no weights": {"model__weights__h5": b"\x89HDF\r\n\x1a\n" + bytes(100)},
    "one more member": {"assets/vocabulary": b"x"},
    "deep JSON": {"config__json": b"[" * 100_000},
    "a key twice": {"config__json": b'{"class_name": "Dense", "class_name": "Lambda"}'},
    "NaN": {"config__json": b'{"class_name": NaN}'},
    "no object": {"config__json": b"3"},
    "nested models": {"config__json": json.dumps(nested(60)).encode()},
    "other encoding": {"config__json": json.dumps(layers()).encode("utf-16")},
}


@pytest.mark.parametrize("what", list(MEMBERS))
def test_a_model_with_a_wrong_member_is_refused(tmp_path, what):
    path = keras_file(tmp_path / "m.keras", None, **MEMBERS[what])
    with pytest.raises(UsageError) as caught:
        check_saved_model(path)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_inflates_to_300_mb_is_not_inflated(tmp_path):
    path = keras_file(tmp_path / "m.keras", None, config__json=BOMB)
    assert path.stat().st_size < 400_000
    began = time.process_time()
    with pytest.raises(UsageError, match="more than 16777216 bytes"):
        check_saved_model(path)
    assert time.process_time() - began < 0.1


def test_a_model_that_is_not_the_one_described_is_refused(tmp_path):
    path = keras_file(tmp_path / "m.keras")
    write_json(tmp_path / "m.json", {"sha256": "0" * 64, "classes": ["a", "b"]})
    with pytest.raises(UsageError, match=r"has changed since m\.json"):
        load_model(path)


HOSTILE_JSON = {
    "deep": (b"[" * 100_000, "deeply"), "deep objects": (b'{"a":' * 100_000, "deeply"),
    "a key twice": (b'{"a": 1, "a": 2}', "twice"), "NaN": (b"[NaN]", "NaN"),
    "infinity": (b"[-Infinity]", "Infinity"), "UTF-16": ('{"a": 1}'.encode("utf-16"), "utf-8"),
    "half a character": (b'"\xe4"', "utf-8"), "a long number": (b"9" * 100_000, "digits"),
    "nothing": (b"", "value"), "two values": (b"1 2", "Extra"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(HOSTILE_JSON))
def test_hostile_json_is_a_value_error(what):
    data, words = HOSTILE_JSON[what]
    with pytest.raises(ValueError, match=words):
        parse_json(data)


def test_long_json_is_not_read_whole(tmp_path):
    (tmp_path / "long.json").write_bytes(b"[" + b"1," * 5000 + b"1]")
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_json(tmp_path / "long.json", 100)
    assert len(read_json(tmp_path / "long.json")) == 5001


@pytest.mark.parametrize("name", ["t.csv.gz", "t.json.gz"])
def test_a_compressed_table_that_inflates_without_end_is_refused(tmp_path, name):
    path = tmp_path / name
    with gzip.open(path, "wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="once inflated"):
        if name.endswith(".csv.gz"):
            read_text_table(path)
        else:
            open_arrays(path, path.read_bytes())


@pytest.mark.parametrize("values", [np.array([{"a": 1}], object), np.zeros(100_000_000, np.uint8)])
def test_a_table_with_objects_or_a_bomb_is_refused(tmp_path, values):
    path = tmp_path / "t.npz"
    np.savez_compressed(path, rows=values)
    with pytest.raises(DataError):
        arrays = open_arrays(path, path.read_bytes())
        array(path, arrays, "rows")
