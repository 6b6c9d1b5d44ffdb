"""What tests share: one small task, and one worker process that holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optselect import tasks
from optselect.executors import LocalExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture(scope="session")
def iris() -> Any:
    """150 rows, 3 classes: trains in milliseconds."""
    return tasks.make_spec(tasks.read("sklearn:iris"), epochs=3, seed=0)


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
