"""A ready view of a study in MLflow's interface: charts, and the runs that they show."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

__all__ = ["link", "shared"]

_NAME = "optselect"
_TRIALS = "tags.`optselect.kind` = 'trial'"


def shared(*, maximize: bool) -> tuple[str, str]:
    """The tag of an experiment that holds the view, and its content.

    It is what the interface's own button "Share" writes, undocumented: where a version of MLflow does not know it, the
    link's other words still ask for the trials, the best first, with charts.
    """
    state = {
        "searchFilter": _TRIALS,
        "orderByKey": "metrics.`objective`",
        "orderByAsc": not maximize,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": False,
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOWALL",
        "runsPinned": [],
        "runsExpanded": {},
        "selectedColumns": ["metrics.`objective`", "params.`optimizer`", "params.`learning_rate`", "params.`stage`"],
        "compareRunSections": [
            {"uuid": "optselect-what", "name": "What matters", "display": True, "isReordered": False},
            {"uuid": "optselect-curves", "name": "Curves", "display": True, "isReordered": False},
        ],
        "compareRunCharts": _charts(),
    }
    return f"mlflow.sharedViewState.{_NAME}", json.dumps(state)


def _charts() -> list[dict[str, Any]]:
    what: list[dict[str, Any]] = [
        {"type": "PARALLEL", "selectedParams": ["optimizer", "log10_learning_rate", "schedule", "batch_size"],
         "selectedMetrics": ["objective"]},
        {"type": "SCATTER", "xaxis": {"key": "log10_learning_rate", "type": "PARAM"},
         "yaxis": {"key": "objective", "type": "METRIC"}},
    ]  # fmt: skip
    curves: list[dict[str, Any]] = [
        {"type": "LINE", "metricKey": name, "selectedMetricKeys": [name], "xAxisKey": "step", "lineSmoothness": 0,
         "scaleType": "linear", "xAxisScaleType": "linear", "yAxisKey": "metric", "selectedYAxisMetricKey": name}
        for name in ("val_loss", "loss", "learning_rate", "gradient_norm")
    ]  # fmt: skip
    made = [(chart, "optselect-what") for chart in what] + [(chart, "optselect-curves") for chart in curves]
    return [
        {"uuid": f"optselect-{number}", "runsCountToCompare": 500, "deleted": False, "isGenerated": False,
         "metricSectionId": section, "displayName": "", **chart}
        for number, (chart, section) in enumerate(made)
    ]  # fmt: skip


def link(server: str, experiment: str, *, ascending: bool) -> str:
    """The address of the view. server: its root. ascending: whether the smallest objective is the best.

    MLflow opens in its mode for language models, and folds the runs of a study into one row unless they are sorted by
    a metric.
    """
    best_first = f"orderByKey={quote('metrics.`objective`', safe='')}&orderByAsc={str(ascending).lower()}"
    view = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={_NAME}"
    return f"{server}/#/experiments/{experiment}/runs?{view}&{best_first}&searchFilter={quote(_TRIALS, safe='')}"
