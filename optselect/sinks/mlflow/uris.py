"""Addresses of MLflow stores: the default one, which are refused, how they are shown, where they are looked at."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from optselect.errors import InvalidValue
from optselect.sinks.mlflow import charts

__all__ = ["Store", "default_uri", "masked"]

_HTTP = ("http://", "https://")
_DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")


def default_uri() -> str:
    """What `MLFLOW_TRACKING_URI` says, else `mlflow.db` in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"


class Store(NamedTuple):
    """An address. uri: complete. shown: for people, without passwords. secrets: what must not be shown.

    >>> Store.parse("https://ada:s3cr3t@example.org/mlflow").shown
    'https://ada:***@example.org/mlflow'
    >>> Store.parse("./mlruns")
    Traceback (most recent call last):
    optselect.errors.InvalidValue: MLflow: './mlruns' cannot hold a study. Give the address of a server
    (http://127.0.0.1:5000) or of a database (sqlite:///mlflow.db).
    """

    uri: str
    shown: str
    secrets: tuple[str, ...]

    @classmethod
    def parse(cls, uri: str) -> Store:
        """Check an address; a relative path of a SQLite file becomes absolute.

        Raises `InvalidValue` for a folder of files, which MLflow 3 only reads, and for a database in memory.
        """
        shown, secrets = masked(uri)
        if uri.startswith("sqlite:"):
            path = uri.partition(":///")[2]
            if path and not path.startswith(":memory:"):
                uri = f"sqlite:///{Path(path).absolute()}"
                return cls(uri, uri, ())
        elif uri.startswith((*_HTTP, *_DATABASES)) or uri.split(":")[0] == "databricks":
            return cls(uri, shown, secrets)
        raise InvalidValue(
            f"MLflow: {shown!r} cannot hold a study. Give the address of a server (http://127.0.0.1:5000) or of a "
            "database (sqlite:///mlflow.db)."
        )

    @property
    def is_server(self) -> bool:
        """Whether it is reached by HTTP."""
        return self.uri.startswith(_HTTP)

    @property
    def is_database(self) -> bool:
        """Whether MLflow opens it itself."""
        return self.uri.startswith(_DATABASES)

    @property
    def file(self) -> Path | None:
        """The SQLite file."""
        return Path(self.uri.removeprefix("sqlite:///")) if self.uri.startswith("sqlite:") else None

    def where(self, experiment_id: str) -> str:
        """The link to an experiment ("" if not known yet), below the command that serves it if no server does."""
        link = "http://127.0.0.1:5000"
        if self.is_server:  # which a browser may have to ask for by another name
            link = os.environ.get("OPTSELECT_MLFLOW_UI") or re.sub(r"//[^/]*@", "//", self.shown)
        link = link.rstrip("/")
        if experiment_id:
            link = charts.link(link, experiment_id)
        return link if self.is_server else f"mlflow ui --backend-store-uri {self.shown}\n{link}"

    def scrub(self, message: str) -> str:
        """The first line of `message`, without secrets, cut to 300 characters."""
        line = (message.strip() or "no reason given").splitlines()[0].replace(self.uri, self.shown)
        for secret in self.secrets:
            line = line.replace(secret, "***")
        return line if len(line) <= 300 else line[:297] + "..."


def masked(uri: str) -> tuple[str, tuple[str, ...]]:
    """An address as people may see it, and what they may not.

    >>> masked("postgresql://ada:s3cr3t@db/optuna")
    ('postgresql://ada:***@db/optuna', ('s3cr3t',))
    >>> masked("postgresql://ada@db/optuna")
    ('postgresql://ada@db/optuna', ())
    """
    secrets: list[str] = []
    found = re.match(r"(\w[\w+.\-]*://)([^?]*)@(.*)", uri)
    if found:
        user, _, password = found[2].partition(":")
        if password:
            secrets.append(password)
            uri = f"{found[1]}{user}:***@{found[3]}"
        elif uri.startswith(_HTTP):  # alone it is a token; of a database it is a name
            secrets.append(user)
            uri = f"{found[1]}***@{found[3]}"

    def hide(match: re.Match[str]) -> str:
        secrets.append(match[2])
        return f"{match[1]}***"

    shown = re.sub(r"([?&][^=&]*(?:password|token|secret)[^=&]*=)([^&]+)", hide, uri, flags=re.IGNORECASE)
    return shown, tuple({form for secret in secrets for form in (secret, unquote(secret)) if form})
