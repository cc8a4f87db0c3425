"""MLflow's own pages, in a browser without a window."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ferbench.tracking.replay import Replayed

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SECONDS = 100
PLACES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """Headless Chromium."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program = next((found for name in PLACES if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("Chromium and chromedriver are not installed (apt-get install chromium chromium-driver)")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1600,1000"):
        options.add_argument(switch)
    chrome = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def address(out: Path, replay: Callable[..., Replayed]) -> Iterator[str]:
    """The ranked view, as ``ferbench ui`` prints it; Ctrl-C must end everything that it started."""
    replay()
    command = [sys.executable, "-m", "ferbench.cli.main", "ui", "--out", str(out), "--no-browser", "--port", "5210"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    yield line.partition(": ")[2].strip()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert not _speaking_of(out)


def _speaking_of(out: Path) -> list[str]:
    """Processes that have the folder in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(out) in path.read_text() and path.parent.name != str(os.getpid()):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def _shown(browser: Chrome, *words: str) -> str:
    """The page's text once all words stand in it."""
    deadline, text = time.monotonic() + SECONDS, ""
    while time.monotonic() < deadline and not all(word in text for word in words):
        time.sleep(0.3)
        text = str(browser.execute_script("return document.body.innerText"))
    assert [word for word in words if word not in text] == []
    return text


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_the_ranked_view_opens_and_leads_to_children_and_curves(browser: Chrome, address: str) -> None:
    browser.get(address)
    text = _shown(browser, "2 matching runs", "#1 model-", "interval", "Leaderboard")
    ranks = [int(rank) for rank in re.findall(r"#(\d+) model-", text)]
    scores = [float(text) for text in _column(browser, "metrics.`accuracy`")]
    assert len(ranks) == 2 and ranks == sorted(ranks)
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)
    opened = "return localStorage.getItem('mlflow.assistant.panelOpen_v1')"
    assert browser.execute_script(opened) != "true"
    _follow(browser, "model-0 · made-up@official (synthetic)")
    browser.get(browser.current_url.partition("?")[0])
    children = (f"model-0 · made-up@official · seed {seed} (synthetic)" for seed in range(5))
    assert "Judges" not in _shown(browser, "Child runs", *children)
    _follow(browser, "seed 3 (synthetic)")
    _shown(browser, "Model metrics", "Parent run")
    browser.get(browser.current_url.partition("?")[0] + "/model-metrics")
    _shown(browser, "by epoch", "train_loss", "val_score")


def _column(browser: Chrome, name: str) -> list[str]:
    script = "return [...document.querySelectorAll('.ag-cell')].filter(c => c.getAttribute('col-id') == arguments[0])"
    return list(browser.execute_script(f"{script}.map(c => c.innerText)", name))


def _follow(browser: Chrome, words: str) -> None:
    script = "const a = [...document.querySelectorAll('a')].find(a => a.innerText.includes(arguments[0])); "
    browser.get(str(browser.execute_script(script + "return a.href", words)))
