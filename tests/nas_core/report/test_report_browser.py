"""The report in a real browser: nothing refused by its policy, light and dark, wide and narrow."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas_core.report import write_report

pytestmark = pytest.mark.browser
DARK = "--blink-settings=preferredColorScheme=0"
LIGHT = "--blink-settings=preferredColorScheme=1"


def screenshot(page: Path, width: int, scheme: str) -> tuple[np.ndarray, str]:
    """Return the page's picture as uint8 [H, W, 3] and what the browser complained about."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser is not None, "expected chromium or google-chrome: install one"
    picture, profile = page.with_suffix(".png"), page.parent / "profile"
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}",
            f"--screenshot={picture}", f"--window-size={width},2400", scheme, page.as_uri(),
        ],
        check=True, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    complaints = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return np.asarray(Image.open(picture).convert("RGB")), complaints


def test_light_and_dark(write_run):
    page = write_report(write_run())
    light, complaints = screenshot(page, 1200, LIGHT)
    dark, more = screenshot(page, 1200, DARK)
    assert complaints + more == ""
    assert light.mean() > 215
    assert dark.mean() < 60


def test_nothing_is_wider_than_a_narrow_screen(write_run):
    picture, complaints = screenshot(write_report(write_run()), 500, LIGHT)
    assert complaints == ""
    assert picture.shape[1] == 500
    # The page's margin: anything too wide would lie in it.
    assert np.ptp(picture[:, -8:].reshape(-1, 3), axis=0).max() == 0
