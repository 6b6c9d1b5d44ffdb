"""The process that trains: TensorFlow lives here and nowhere else.

It reads pickled requests from a socket and has a `Worker` answer each. It ends when its parent does.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from optselect.trainer.messages import Renew, Request, Rest

__all__ = ["main"]


def main(descriptor: int, threads: int) -> None:
    """Serve the socket `descriptor` with `threads` threads an operation (0: as many as TensorFlow likes)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pipe = Connection(socket.socket(fileno=descriptor).detach())
    requests: queue.Queue[Request | Renew] = queue.Queue()
    threading.Thread(target=_receive, args=(pipe, requests), daemon=True).start()
    _prepare_tensorflow(threads)
    from optselect.trainer.failure import failed
    from optselect.trainer.worker import Worker

    gc.freeze()  # what has been imported stays: to look through it takes half a second
    worker = Worker()
    while True:
        request = requests.get()
        if isinstance(request, Renew):
            try:
                _renew(request)
            except OSError as error:
                pipe.send(failed(error))
            continue
        answer = worker.answer(request)
        if isinstance(request, Rest):
            _print_to(os.devnull)
        pipe.send(answer)


def _receive(pipe: Connection, requests: queue.Queue[Request | Renew]) -> None:
    """Pass requests on; end the process, in whatever it is busy with, when the parent is gone."""
    try:
        while True:
            requests.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)


def _prepare_tensorflow(threads: int) -> None:
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)


def _renew(request: Renew) -> None:
    _print_to(request.log)
    os.environ.clear()
    os.environ.update(request.environment)


def _print_to(log: str) -> None:
    with Path(log).open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(output.fileno(), stream.fileno())
