"""A found cell on another data set, rebuilt and with inherited weights, as a user types it."""

import json

import pytest
from command_line import nas
from tiny_data import CLASSES, write_tiny

from nas_core.errors import UsageError
from nas_core.retraining.candidates import Candidate
from nas_core.retraining.inheritance import heirs
from nas_core.spec import ChainSpec
from nas_core.store import RunStore
from nas_core.summary import ranked
from nas_core.trainer.build import build_model
from nas_core.trainer.recipe import Recipe

WIDE, NARROW = (ChainSpec.from_text(f"[C({n},3,1), GAP, SM({n})]") for n in (6, 4))
RECIPE = Recipe(image_size=8)


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("heirs") / "tiny")


@pytest.fixture
def wide(tmp_path):
    path = tmp_path / "wide.keras"
    build_model(WIDE, (8, 8, 3)).save(path)
    return path


def test_heirs_know_what_they_inherit_and_others_are_told(wide, info):
    told = []
    found = heirs([Candidate(WIDE, 0.5), Candidate(NARROW, 0.4)], wide, info, RECIPE, told.append)
    assert [heir.spec for heir in found] == [WIDE]
    inherited = found[0].inherited
    assert (inherited.copied, inherited.fresh) == (("conv_0", "softmax_2"), ())
    assert (found[0].start, found[0].search_score) == ("fine-tuned", 0.5)
    assert told == [f"not fine-tuned: no layer of {wide} fits {NARROW.to_text()}"]


def test_what_cannot_be_built_is_left_to_its_training(wide, info):
    told = []
    small = ChainSpec.from_text("[P(5,5), P(5,5), SM(6)]")
    found = heirs([Candidate(small, 0.5), Candidate(WIDE, 0.4)], wide, info, RECIPE, told.append)
    assert [heir.spec for heir in found] == [WIDE]
    assert "5x5" in told[0]


def test_a_foreign_a_broken_and_a_missing_model_are_refused(wide, info):
    with pytest.raises(UsageError, match=r"wide\.keras shares none"):
        heirs([Candidate(NARROW, 0.4)], wide, info, RECIPE, print)
    broken = wide.with_name("broken.keras")
    broken.write_bytes(b"no model")
    with pytest.raises(UsageError, match=r"cannot read .*broken\.keras"):
        heirs([Candidate(WIDE, 0.4)], broken, info, RECIPE, print)
    with pytest.raises(UsageError, match=r"\.keras file, received .*missing"):
        heirs([Candidate(WIDE, 0.4)], wide.with_name("missing"), info, RECIPE, print)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Return a folder with runs N of cells and M of chains, and a data set that they never saw."""
    folder = tmp_path_factory.mktemp("transfer")
    write_tiny(folder / "tiny")
    (folder / "tiny.toml").write_text("[recipe]\nimage_size = 8\n")
    mock = ["--trainer", "mock", "--trials", 3, "--seed", 1, "--config", "tiny.toml"]
    nas("search", "nasnet", *mock, "--run", "N", cwd=folder)
    nas("search", "metaqnn", *mock, "--run", "M", cwd=folder)
    return folder


@pytest.mark.slow
def test_a_cell_is_transferred_from_scratch_and_fine_tuned(searched):
    model = "found.keras"
    with RunStore.open(searched / "N") as store:
        best = ranked(store.trials())[0]
    build_model(best.spec, (8, 8, 3)).save(searched / model)
    larger = ["retrain", "N", "--top", 1, "--data", "tiny", "--workers", 2, "--epochs", 2]
    larger += ["--cells", 1, "--init-from", model]
    rows = json.loads(nas(*larger, "--json", cwd=searched).stdout)["architectures"]
    assert sorted(row["start"] for row in rows) == ["fine-tuned", "scratch"]
    scratch, tuned = sorted(rows, key=lambda row: row["start"], reverse=True)
    assert scratch["digest"] == tuned["digest"] != best.digest
    assert "repeats 1 1 1" in tuned["text"]
    assert scratch["model"] != tuned["model"]
    assert tuned["init_from"] == model
    assert "stem_conv" in tuned["copied"]
    assert "classifier" in tuned["fresh"]
    assert "copied" not in scratch
    assert all(len(row["test_accuracy"]) == 1 for row in rows)
    beside = json.loads((searched / tuned["model"][0]).with_suffix(".json").read_text())
    assert beside["result"]["details"]["copied"] == tuned["copied"]
    assert beside["result"]["details"]["fresh"] == tuned["fresh"]
    assert beside["init_from"]["model"] == model
    assert beside["classes"] == list(CLASSES)
    # again as a table: nothing is trained twice, both starts stand in it
    table = nas(*larger, cwd=searched)
    assert "validation" not in table.stderr
    assert "start" in table.stdout.splitlines()[0]
    assert f"layers copied from {model}" in table.stdout
    nas("report", "N", cwd=searched)
    page = (searched / "N/report.html").read_text()
    assert "fine-tuned" in page
    assert f"from {model}; anew: " in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["M", "--cells", 2], "expected a run of cells"),
        (["M", "--filters", 8], "expected a run of cells"),
        (["N", "--cells", 0], "--cells of 1 or more, received 0"),
        (["N", "--filters", -3], "--filters of 1 or more, received -3"),
        (["N", "--init-from", "nothing.keras"], "nothing.keras"),
        (["N", "--init-from", "broken.keras"], "broken.keras"),
        (["N", "--init-from", "foreign.keras"], "foreign.keras shares none"),
    ],
)
def test_wrong_transfers_train_nothing(searched, arguments, words):
    (searched / "broken.keras").write_bytes(b"no model")
    build_model(WIDE, (8, 8, 3)).save(searched / "foreign.keras")
    models = sorted(searched.glob("*/models/*"))
    done = nas("retrain", *arguments, "--data", "tiny", "--epochs", 1, cwd=searched, check=2)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert sorted(searched.glob("*/models/*")) == models
