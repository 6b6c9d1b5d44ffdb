"""What tests share: one small task, and one worker process that holds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optselect.data import read
from optselect.task import make_spec
from optselect.workers.local import LocalExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def pytest_configure() -> None:
    """Of several pytest workers each keeps to its share of the cores: its studies do not train in each other's way."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "")
    if name and hasattr(os, "sched_setaffinity"):
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        share = sorted(os.sched_getaffinity(0))[int(name.removeprefix("gw")) % count :: count]
        if share:
            os.sched_setaffinity(0, share)


@pytest.fixture(scope="session")
def iris() -> Any:
    """150 rows, 3 classes: trains in milliseconds."""
    return make_spec(read("sklearn:iris"), epochs=3, seed=0)


@pytest.fixture(scope="session")
def executor(iris: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    """A worker process ready for iris."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with LocalExecutor(iris, [], [], workers=1, threads=1, log=log) as started:
        started.start()
        yield started


@pytest.fixture
def optselect(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a fresh folder, as a user has it."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "optselect", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False, **options
        )

    return run


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real browser without a window, by Playwright. Where a machine has none the test is skipped; in CI it fails."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        assert not os.environ.get("CI"), "CI needs Chromium: apt-get install chromium"
        pytest.skip("needs Chromium: apt-get install chromium")
    # Nothing but what is on this machine is asked, neither for the page nor for the browser's own updates.
    quiet = [
        "--no-sandbox",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=quiet)
        yield browser
        browser.close()
