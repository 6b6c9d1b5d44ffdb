"""Requests to an MLflow store, one after the other, each only if it is still wanted."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optselect.errors import OptselectError
from optselect.sinks.mlflow import run_contents
from optselect.sinks.mlflow.uris import Store

__all__ = ["Calls"]

_PAGE = 1000


class Calls:
    """MLflow's client for a store. go_on: called before each request, raises to stop. written: requests that wrote."""

    def __init__(self, store: Store, go_on: Callable[[], None]) -> None:
        _refuse_optuna(store)
        from mlflow.tracking import MlflowClient

        for name in ("mlflow.store.db.utils", "mlflow.store.model_registry", "mlflow.tracking"):
            if "MLFLOW_LOGGING_LEVEL" not in os.environ:  # what tables it makes, which version waits for what
                logging.getLogger(name).setLevel(logging.WARNING)
        self.store = store
        self.written = 0
        self._go_on = go_on
        self._client = MlflowClient(tracking_uri=store.uri)

    def read(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Ask something of MLflow's client."""
        self._go_on()
        return getattr(self._client, method)(*arguments, **named)

    def write(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Change something through MLflow's client."""
        self.written += 1
        return self.read(method, *arguments, **named)

    def runs(self, experiment: str, wanted: str) -> list[Any]:
        """All runs of an experiment that a filter finds, the earliest first."""
        return self._pages(
            "search_runs", [experiment], wanted, max_results=_PAGE, order_by=["attributes.start_time ASC"]
        )

    def models(self, experiment: str, wanted: str) -> list[Any]:
        """All logged models of an experiment that a filter finds."""
        return self._pages("search_logged_models", [experiment], filter_string=wanted)

    def log(
        self,
        run: str,
        params: Mapping[str, str],
        points: Sequence[run_contents.Point],
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Parameters, points and tags of a run, in as few requests as MLflow's limits allow."""
        from mlflow.entities import Metric, Param, RunTag

        said = [RunTag(name, value) for name, value in (tags or {}).items()]
        for some, part in run_contents.batches(params, list(points)) if params or points else [({}, [])]:
            self.write(
                "log_batch",
                run,
                metrics=[Metric(p.name, p.value, p.milliseconds, p.step) for p in part],
                params=[Param(name, value) for name, value in some.items()],
                tags=said,
            )
            said = []

    def _pages(self, method: str, *arguments: Any, **named: Any) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self.read(method, *arguments, page_token=token, **named)
            found += page
            token = page.token
            if not token:
                return found


def _refuse_optuna(store: Store) -> None:
    """Raise `OptselectError` if the database is Optuna's.

    Optuna and MLflow both keep their schema's version in a table `alembic_version`: in one database each breaks
    the other, with a message about versions.
    """
    if not store.is_database or (store.file and not store.file.is_file()):
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(store.uri, poolclass=sqlalchemy.pool.NullPool)
    try:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()
    if {"studies", "trials", "version_info"} <= tables:
        raise OptselectError(
            "it holds Optuna studies, which MLflow would break: both keep their schema's version in the table "
            "`alembic_version`; give MLflow a database of its own, such as sqlite:///mlflow.db"
        )
