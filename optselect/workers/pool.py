"""Training processes between two studies: they stay up for a while, since TensorFlow takes seconds to import.

The next study takes them over if it would have started just such ones. What they compute is the same to the bit.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from optselect.model.reference import SavedModel
from optselect.util.machine import cores, resident_memory
from optselect.workers.process import WorkerProcess

__all__ = ["POOL", "Pool", "kind_of"]

_IDLE = 300.0  # seconds
_MOST_MEMORY = 1_500_000_000  # bytes of a process that may stay; most of what a usual one has is TensorFlow's
# What libraries read in the environment when they start; the rest can change in a process.
_READ_AT_START = (
    "CUDA_", "GLIBC_", "KERAS_", "KMP_", "LD_", "MALLOC_", "MKL_", "NVIDIA_", "OMP_", "ONEDNN_", "DNNL_", "OPENBLAS_",
    "PYTHON", "TF_", "XLA_",
)  # fmt: skip
_OF_TENSORFLOW = ("TF2_BEHAVIOR", "TF_CPP_MIN_LOG_LEVEL")  # it sets them itself where it is imported


class Pool:
    """Processes that wait for their next study, all of one kind.

    They are ended at exit, after `idle` seconds, where a study of another kind comes, and with the process that
    started them, however that ends. A process that was forked off does not have them.
    """

    def __init__(self, idle: float = _IDLE) -> None:
        self._idle = idle
        self._waiting: list[WorkerProcess] = []
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def take(self, kind: Hashable, gpu: str | None = None) -> WorkerProcess | None:
        """A process of that kind on that GPU, as good as new, if there is one."""
        with self._lock:
            self._keep_only(kind)
            for worker in [w for w in self._waiting if w.gpu == gpu]:
                self._waiting.remove(worker)
                if worker.wake():
                    return worker
                worker.stop()
        return None

    def park(self, worker: WorkerProcess) -> None:
        """Let an idle process wait; end it if there is no room."""
        with self._lock:
            self._keep_only(worker.kind)
            if len(self._waiting) >= cores() or resident_memory(worker.process.pid) > _MOST_MEMORY:
                worker.stop()
                return
            worker.rest()
            self._waiting.append(worker)
            self._wind_up()

    def held(self) -> int:
        """Bytes of memory of those that wait."""
        with self._lock:
            return sum(resident_memory(worker.process.pid) for worker in self._waiting)

    def close(self) -> None:
        """End all that wait."""
        with self._lock:
            for worker in self._waiting:
                worker.stop()
            self._waiting.clear()
            if self._timer is not None:
                self._timer.cancel()

    def _keep_only(self, kind: Hashable) -> None:
        if any(worker.kind != kind for worker in self._waiting):
            self.close()

    def _wind_up(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self._idle, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _forget(self) -> None:
        """In a forked process: they are the parent's, and must see it go."""
        self._lock = threading.RLock()
        for worker in self._waiting:
            worker.disown()
        self._waiting, self._timer = [], None


POOL = Pool()
"""The one of this Python process."""


def kind_of(model: Any, threads: int) -> Hashable:
    """What decides, beside the GPU, whether one process can stand for another.

    model: of the task. Where code of the user's runs, a process serves that code alone: nobody knows what else it does.
    """
    code = None if isinstance(model, SavedModel) else model
    variables = {k: v for k, v in os.environ.items() if k.startswith(_READ_AT_START) and k not in _OF_TENSORFLOW}
    environment = tuple(sorted(variables.items()))
    here = Path().stat()
    return code, threads, sys.executable, tuple(sys.path), (here.st_dev, here.st_ino), environment
