"""docker-compose.yml read as Compose reads it, and its services started as processes of this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.helpers import ROOT

PASSWORD = secrets.token_hex(8) + "@/:%#'"  # also what has a meaning in addresses and in SQL
PATIENCE = 180.0  # seconds, on a busy machine


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """docker-compose.yml with the variables of `environment` filled in; `ValueError` for one that must be there."""
    document = YAML(typ="safe").load(ROOT / "docker-compose.yml")

    def value(match: re.Match[str]) -> str:
        name, mark, text = match.groups()
        if not name:  # $$ is a dollar
            return "$"
        if mark == "?" and not environment.get(name):
            raise ValueError(f"{name} {text}")
        return environment.get(name) or text or ""

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(part) for key, part in node.items()}
        if isinstance(node, list):
            return [filled(part) for part in node]
        return re.sub(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})", value, node) if isinstance(node, str) else node

    return dict(filled(document))


@dataclasses.dataclass(frozen=True)
class Stack:
    """What runs. mlflow, dashboard: addresses. port: of Postgres. worker: environment of a worker."""

    mlflow: str
    dashboard: str
    port: int
    worker: Mapping[str, str]


def postgres_programs() -> Path | None:
    """The folder of Postgres's own programs, as Debian has it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """The services of docker-compose.yml with their commands, environments and health checks, on free ports.

    Only names and places differ: hosts and ports, and that artifacts go to `folder`.
    """
    services = compose({"POSTGRES_PASSWORD": PASSWORD})["services"]
    ports = {name: _free_port() for name in ("postgres", "mlflow", "dashboard")}
    here = {
        "postgres:5432": f"127.0.0.1:{ports['postgres']}",
        "mlflow:5000": f"127.0.0.1:{ports['mlflow']}",
        "localhost:5000": f"localhost:{ports['mlflow']}",
        "127.0.0.1:5000": f"127.0.0.1:{ports['mlflow']}",
        "127.0.0.1:8080": f"127.0.0.1:{ports['dashboard']}",
        "=0.0.0.0": "=127.0.0.1",
        "=5000": f"={ports['mlflow']}",
        "=8080": f"={ports['dashboard']}",
        "=/artifacts": f"={folder / 'artifacts'}",
    }

    def native(node: Any) -> Any:
        """The same with what `here` says in place of names and ports of containers."""
        if isinstance(node, dict):
            return {key: native(part) for key, part in node.items()}
        if isinstance(node, list):
            return [native(part) for part in node]
        for there, place in here.items() if isinstance(node, str) else ():
            node = node.replace(there, place)
        return node

    with contextlib.ExitStack() as ends:
        database = ends.enter_context(_postgres(ports["postgres"]))
        _await_health(services["postgres"], native, {"PATH": str(database), "PGPORT": str(ports["postgres"])})
        started = {}
        for name in ("mlflow", "dashboard"):
            started[name] = ends.enter_context(_process(name, native(services[name]), folder))
        for name, process in started.items():
            _await_health(services[name], native, {}, process, folder)
        yield Stack(
            mlflow=f"http://127.0.0.1:{ports['mlflow']}",
            dashboard=f"http://127.0.0.1:{ports['dashboard']}",
            port=ports["postgres"],
            worker=native(services["worker"]["environment"]),
        )


@contextlib.contextmanager
def _postgres(port: int) -> Iterator[Path]:
    """A new server on `port` of 127.0.0.1 with what the scripts of docker-compose.yml make in it; its programs."""
    programs = postgres_programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="optselect-postgres-"))  # not below a folder that only root may enter
    as_user = []
    if os.getuid() == 0:  # Postgres refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]
    (folder / "password").write_text(PASSWORD)

    def run(program: str, *options: str) -> None:
        command, environment = [*as_user, str(programs / program), *options], {"PATH": os.environ["PATH"]}
        with (folder / "log").open("a") as log:  # a pipe would stay open as long as the server
            done = subprocess.run(
                command, env=environment, cwd="/", stdout=log, stderr=log, timeout=PATIENCE, check=False
            )
        assert done.returncode == 0, (folder / "log").read_text()

    data = str(folder / "data")
    try:
        run(
            "initdb",
            f"--pgdata={data}",
            "--auth=scram-sha-256",
            "--username=postgres",
            f"--pwfile={folder / 'password'}",
        )
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "start", "-w", f"--pgdata={data}", f"--log={folder / 'server.log'}", f"--options={options}")
        try:
            # As the image's entry point runs it.
            script = str(ROOT / "docker/postgres/databases.sql")
            psql = [
                str(programs / "psql"),
                "-v",
                "ON_ERROR_STOP=1",
                "--no-psqlrc",
                "--host=127.0.0.1",
                f"--port={port}",
            ]
            environment = {"PGPASSWORD": PASSWORD, "POSTGRES_PASSWORD": PASSWORD}
            subprocess.run(
                [*psql, "--username=postgres", "--dbname=postgres", f"--file={script}"],
                env=environment,
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
            yield programs
        finally:
            run("pg_ctl", "stop", "-w", f"--pgdata={data}", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _process(name: str, service: Mapping[str, Any], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service's command in a session of its own, ended with all that it started."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            service["command"],
            env={"PATH": path, "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true", **service["environment"]},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def _await_health(
    service: Mapping[str, Any],
    native: Any,
    environment: Mapping[str, str],
    process: subprocess.Popen[bytes] | None = None,
    folder: Path = Path(),
) -> None:
    """Wait until the service's own health check says yes."""
    kind, *command = native(service["healthcheck"]["test"])
    assert kind == "CMD"
    environment = {"PATH": str(Path(sys.executable).parent), **environment}
    until = time.monotonic() + PATIENCE
    while True:
        checked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if checked.returncode == 0:
            return
        logs = "\n".join(path.read_text() for path in folder.glob("*.log")) if process else ""
        assert process is None or process.poll() is None, logs
        assert time.monotonic() < until, f"{checked.stderr}\n{logs}"
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
