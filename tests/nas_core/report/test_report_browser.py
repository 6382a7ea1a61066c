"""The report in a real browser: nothing refused by its policy, light and dark, wide and narrow."""

import json
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas_core.api import search
from nas_core.report import write_report

pytestmark = pytest.mark.browser
DARK = "--blink-settings=preferredColorScheme=0"
LIGHT = "--blink-settings=preferredColorScheme=1"


MEASURE = """
<script>
const place = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] };
const drawings = [...document.querySelectorAll("svg.cell,svg.chain")].map((svg) => ({
  words: [...svg.querySelectorAll("text")].map((t) => [...place(t), t.textContent]),
  boxes: [...svg.querySelectorAll("rect.box")].map((b) => [place(b), place(b.nextElementSibling)]),
}));
document.documentElement.innerHTML = "<pre>" + JSON.stringify(drawings) + "</pre>";
</script>
"""


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the browser on a page until it has what the options ask for."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser is not None, "expected chromium or google-chrome: install one"
    profile = page.parent / "profile"
    return subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}",
            *options, page.as_uri(),
        ],
        check=True, capture_output=True, text=True, timeout=90,
    )  # fmt: skip


def screenshot(page: Path, width: int, scheme: str) -> tuple[np.ndarray, str]:
    """Return the page's picture as uint8 [H, W, 3] and what the browser complained about."""
    picture = page.with_suffix(".png")
    done = browse(page, f"--screenshot={picture}", f"--window-size={width},2400", scheme)
    complaints = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return np.asarray(Image.open(picture).convert("RGB")), complaints


def drawings(page: Path) -> list[dict[str, Any]]:
    """Return where words and boxes of the page's drawings stand, as the browser measures them."""
    copy = page.with_name("measured.html")
    text = page.read_text(encoding="utf-8").replace(
        "default-src 'none'", "default-src 'unsafe-inline'"
    )
    copy.write_text(text + MEASURE, encoding="utf-8")
    done = browse(copy, "--dump-dom", "--window-size=1200,2400")
    found: list[dict[str, Any]] = json.loads(done.stdout.split("<pre>")[1].split("</pre>")[0])
    return found


def test_light_and_dark(write_run):
    page = write_report(write_run())
    light, complaints = screenshot(page, 1200, LIGHT)
    dark, more = screenshot(page, 1200, DARK)
    assert complaints + more == ""
    assert light.mean() > 215
    assert dark.mean() < 60


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A run with a policy and cells, the chain's beside it."""
    folder = tmp_path_factory.mktemp("runs")
    for space in ("nasnet", "chain"):
        search(space, trainer="mock", trials=40, seed=1, control=None, run=folder / space)
    return folder


@pytest.mark.parametrize("space", ["nasnet", "chain"])
def test_policies_cells_and_chains_in_light_and_dark(searched, space):
    page = write_report(searched / space)
    light, complaints = screenshot(page, 1200, LIGHT)
    dark, more = screenshot(page, 1200, DARK)
    narrow, most = screenshot(page, 500, LIGHT)
    assert complaints + more + most == ""
    assert light.mean() > 215
    assert dark.mean() < 60
    # The winner's drawing has colours of its own on either paper, and the margin stays free.
    for picture in (light, dark):
        assert len(np.unique(picture[330:700, 70:1130].reshape(-1, 3), axis=0)) > 100
    assert np.ptp(narrow[:, -8:].reshape(-1, 3), axis=0).max() == 0


@pytest.mark.parametrize("space", ["nasnet", "chain"])
def test_no_word_touches_another_or_leaves_its_box(searched, space):
    found = drawings(write_report(searched / space))
    assert len(found) == 11 * (2 if space == "nasnet" else 1)
    for drawing in found:
        assert len(drawing["words"]) > 8
        for one, two in combinations(drawing["words"], 2):
            across = min(one[2], two[2]) - max(one[0], two[0])
            down = min(one[3], two[3]) - max(one[1], two[1])
            assert across <= 0 or down <= 3, (one, two)  # a line of text is higher than its letters
        for box, word in drawing["boxes"]:
            assert box[0] < word[0]
            assert word[2] < box[2]


def test_nothing_is_wider_than_a_narrow_screen(write_run):
    picture, complaints = screenshot(write_report(write_run()), 500, LIGHT)
    assert complaints == ""
    assert picture.shape[1] == 500
    # The page's margin: anything too wide would lie in it.
    assert np.ptp(picture[:, -8:].reshape(-1, 3), axis=0).max() == 0
