"""What the machine did while a study ran: MLflow's own system metrics, read by whoever delivers anyway."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from optselect.sinks.mlflow.run_contents import Point, finite

__all__ = ["Usage"]

_INTERVAL = 2.0  # seconds between two readings at first
_SHARE = 0.005  # of the time passed, later: some hundreds of readings, however long a study takes


class Usage:
    """Readings of processor, memory, disk and network, of GPUs where `nvidia-ml-py` is installed.

    A reading takes about a millisecond; it is taken when somebody calls `look` and one is due.
    """

    def __init__(self) -> None:
        self._began = self._next = time.monotonic()
        self._monitors: list[Any] | None = None
        self._points: list[Point] = []

    def due(self) -> float:
        """Seconds until the next reading."""
        return max(0.0, self._next - time.monotonic())

    def look(self) -> None:
        """Take a reading if one is due."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + max(_INTERVAL, _SHARE * (now - self._began))
        if self._monitors is None:
            self._monitors = _monitors()
        since = time.time()
        for monitor in self._monitors:
            monitor.collect_metrics()
            for name, value in monitor.aggregate_metrics().items():
                if finite(value):
                    self._points.append(Point(f"system/{name}", float(value), round(since * 1000), round(since)))
            monitor.clear_metrics()

    def take(self) -> list[Point]:
        """The readings since the last call; the step is in seconds since 1970, so that a resumed study goes on."""
        points, self._points = self._points, []
        return points


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    found = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    with contextlib.suppress(Exception):  # no nvidia-ml-py, no driver, no GPU
        found.append(GPUMonitor())
    return found
