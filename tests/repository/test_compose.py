"""docker-compose.yml and the images: what can be checked without Docker. `test_stack.py` runs the same services."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from optselect import __version__
from tests.helpers.stack import ROOT, compose

PROGRAMS = Path(sys.executable).parent
DOCKERFILE = ROOT / "docker" / "Dockerfile"
SECRET = "s3cr3t"
DOCUMENT = compose({"POSTGRES_PASSWORD": SECRET})
SERVICES: dict[str, Any] = DOCUMENT["services"]
WORKERS = [name for name, service in SERVICES.items() if service.get("profiles")]


def words() -> set[str]:
    """Names of environment variables, each where the program that reads it has it."""
    import psycopg

    ours = "".join(path.read_text() for path in (ROOT / "optselect").rglob("*.py"))
    scripts = "".join(path.read_text() for path in (ROOT / "docker").rglob("*.sql"))
    mlflow = Path(str(find_spec("mlflow").origin)).parent  # importing it warns
    theirs = (mlflow / "environment_variables.py").read_text() + (mlflow / "cli" / "__init__.py").read_text()
    return {
        *re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", ours),
        *re.findall(r"\\getenv \w+ (\w+)", scripts),
        *re.findall(r"\bMLFLOW_\w+", theirs),
        *(option.envvar.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.envvar),
    }


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        ["hadolint", "docker/Dockerfile"],
    ],
    ids=lambda command: command[0],
)
def test_the_tools_of_the_trade_have_nothing_to_say(command):
    """The Compose specification's own schema takes the file, and hadolint finds nothing in the Dockerfile."""
    done = subprocess.run([PROGRAMS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("environment", [{}, {"POSTGRES_PASSWORD": ""}])
def test_nothing_starts_without_a_password(environment):
    """Without a password the file is refused, with what to do; .env.example has the name and no value."""
    with pytest.raises(ValueError, match=r"POSTGRES_PASSWORD is not set. Copy .env.example to .env"):
        compose(environment)
    assert "POSTGRES_PASSWORD=\n" in (ROOT / ".env.example").read_text()


def test_variables_are_those_of_the_example():
    """What .env.example offers, with its defaults, is what docker-compose.yml reads."""
    text = (ROOT / "docker-compose.yml").read_text()
    read = {name: default or "" for name, default in re.findall(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}", text)}
    offered = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert read == offered


def test_the_password_is_in_environments_only():
    """No command line, address, label or image has it, and nothing else looks like one."""
    for name, service in SERVICES.items():
        elsewhere = {key: part for key, part in service.items() if key != "environment"}
        assert SECRET not in repr(elsewhere), name
        for key, value in service.get("environment", {}).items():
            assert (value == SECRET) == key.endswith("PASSWORD"), (name, key)
            assert not re.search(r"://[^/]*:[^/]*@", value), (name, key)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_on_loopback(name):
    """No port of any service can be reached from another machine."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))
    assert "network_mode" not in SERVICES[name]
    assert "privileged" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVICES)
def test_health_is_checked_or_it_is_said_why_not(name):
    """A service has a health check that runs a program, or ends by itself; whom it waits for has one."""
    service = SERVICES[name]
    if "x-no-healthcheck" in service:
        assert service["restart"] == "no"
        assert service["x-no-healthcheck"]
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] == "service_healthy"
        assert "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name):
    """Each image has a version; one that is built has that of the package and a stage that the Dockerfile has."""
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.match(r"\d+\.\d+", tag), image
    if "build" in SERVICES[name]:
        assert tag == __version__
        assert re.search(rf"^FROM \S+ AS {SERVICES[name]['build']['target']}$", DOCKERFILE.read_text(), re.MULTILINE)


def test_environments_have_names_that_somebody_reads():
    """Every name is known to optselect, MLflow, libpq, the database script, or its own command."""
    known = words()
    for name, service in SERVICES.items():
        command = " ".join(service.get("command", []))
        for key in service.get("environment", {}):
            assert key in known or f"${key}" in command, f"{name}: nobody reads {key}"


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_are_declared_and_files_are_there(name):
    """A named volume is declared; a file of the repository is there and read-only, and so are the data."""
    for volume in SERVICES[name].get("volumes", []):
        source, target, *mode = volume.split(":")
        if not source.startswith("."):
            assert source in DOCUMENT["volumes"]
        elif source != "./data":
            assert (ROOT / source).is_file()
        assert (mode == ["ro"]) == source.startswith("."), (name, target)


def test_every_service_that_runs_our_images_has_no_rights():
    """No capabilities, no new ones; the images end as a user with a number that is not root's."""
    for service in SERVICES.values():
        if "build" in service:
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
    last = DOCKERFILE.read_text().rpartition("\nUSER ")[2].split()[0]
    assert last == "1000:1000"
    assert "\nUSER root" not in DOCKERFILE.read_text()


def test_a_worker_for_each_kind_of_machine():
    """One profile each for CPU and GPU, alike but for the device and the wheels; neither starts by itself."""
    (cpu, gpu) = (SERVICES[name] for name in WORKERS)
    assert (cpu["profiles"], gpu["profiles"]) == (["cpu"], ["gpu"])
    assert {k for k in cpu | gpu if cpu.get(k) != gpu.get(k)} == {"image", "build", "profiles", "deploy"}
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert gpu["build"]["args"]["EXTRA"] in extras


def test_what_is_copied_is_sent():
    """.dockerignore lets through what the Dockerfile copies, nothing secret, and all of it is in the repository."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE.read_text(), re.MULTILINE):
        *sources, _ = shlex.split(line)
        copied |= set(sources)
    assert copied == set(allowed)
    assert all((ROOT / path).exists() for path in copied)
    assert not any(fnmatch.fnmatch(".env", pattern) for pattern in allowed)


def test_groups_and_extras_are_in_the_project():
    """Every group and extra that the Dockerfile asks for is declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = DOCKERFILE.read_text()
    assert set(re.findall(r"--only-group (\w+)", text)) <= project["dependency-groups"].keys()
    assert set(re.findall(r"--extra (\w+)", text)) <= project["project"]["optional-dependencies"].keys()
