"""What MLflow costs a study: time of its own thread a trial, and the study's time without, with and with a dead one.

    python -m benchmarks.mirror [--trials 40] [--repeats 2] [--out FOLDER]

Every study is the same one (sklearn:digits) with the same seeds, in a process of its own, with one worker; the order is
drawn. Seconds depend on the machine and on what else it does: read the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STORES = ("none", "sqlite", "server", "dead")

STUDY = """
import json, sys, time
import optselect
from optselect.sinks.mlflow import tracker

spent = []
for name in ("start", "trial", "finish"):
    def timed(self, *given, __call=getattr(tracker.MlflowTracker, name), __name=name, **named):
        begin = time.perf_counter()
        __call(self, *given, **named)
        spent.append((__name, time.perf_counter() - begin))
    setattr(tracker.MlflowTracker, name, timed)
closing = []
close = tracker.MlflowTracker.close
def closed(self, timeout):
    begin = time.perf_counter()
    said = close(self, timeout)
    closing.append((time.perf_counter() - begin, len(said)))
    return said
tracker.MlflowTracker.close = closed
uri, trials, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
begin = time.perf_counter()
result = optselect.tune(None, "sklearn:digits", trials=trials, epochs=5,
                        evaluation=optselect.Evaluation(care="quick", confirm=2),
                        run=optselect.RunOptions(workers=1, out=out), tracking=optselect.Tracking(mlflow=uri))
wall = time.perf_counter() - begin
print(json.dumps({"wall": wall, "trainings": len(result.records), "spent": spent, "closing": closing}))
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--trials", type=int, default=40)
    asked.add_argument("--repeats", type=int, default=2)
    asked.add_argument("--out", type=Path)
    given = asked.parse_args()
    lines: list[str] = []

    def say(line: str = "") -> None:
        print(line, flush=True)
        lines.append(line)

    say(f"{os.cpu_count()} cores; load before {os.getloadavg()[0]:.1f}: above the cores others worked too")
    say(f"{given.trials} trials of 5 epochs, {given.repeats} times each")
    with tempfile.TemporaryDirectory() as folder, server(Path(folder, "server.db")) as alive, _dead() as dead:
        runs = [(store, n) for store in STORES for n in range(given.repeats)]
        random.Random(0).shuffle(runs)
        found: dict[str, list[dict[str, Any]]] = {store: [] for store in STORES}
        for store, n in runs:
            place = Path(folder) / f"{store}{n}"
            uri = {"none": "none", "sqlite": f"sqlite:///{place}.db", "server": alive, "dead": dead}[store]
            found[store].append(_study(uri, given.trials, place))
        _tell(found, say)
    say(f"load after {os.getloadavg()[0]:.1f}")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _study(uri: str, trials: int, place: Path) -> dict[str, Any]:
    import json

    command = [sys.executable, "-c", STUDY, uri, str(trials), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _tell(found: dict[str, list[dict[str, Any]]], say: Any) -> None:
    none = statistics.mean(run["wall"] for run in found["none"])
    say()
    say(f"{'MLflow':8} {'study, s':>9} {'ratio':>6} {'end, s':>7} {'a trial, ms: median':>20} {'worst':>8}  warnings")
    for store, runs in found.items():
        wall = statistics.mean(run["wall"] for run in runs)
        trials = [seconds for run in runs for name, seconds in run["spent"] if name == "trial"]
        row = f"{store:8} {wall:9.1f} {wall / none:6.2f}"
        if trials:
            end = statistics.mean(seconds for run in runs for seconds, _ in run["closing"])
            said = sum(count for run in runs for _, count in run["closing"])
            row += f" {end:7.1f} {1000 * statistics.median(trials):20.3f} {1000 * max(trials):8.2f}  {said}"
        say(row)
    say(f"trainings a study: {sorted({run['trainings'] for runs in found.values() for run in runs})}")
    say("a trial: what the study's own thread spends in the tracker; end: waiting for MLflow after the answer")


@contextlib.contextmanager
def _dead() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def server(database: Path) -> Iterator[str]:
    """A real MLflow server on a SQLite file, alone in its group of processes; artifacts and log lie beside it."""
    folder = database.parent
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    main()
