"""A ready view of a study in MLflow's interface: charts, and the runs that they show."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["link", "shared"]

_NAME = "optselect"
_EACH_ONCE = "tags.`optselect.distinct` = 'yes'"


def shared(*, maximize: bool) -> tuple[str, str]:
    """The tag of an experiment that holds the view, and its content.

    It is what the interface's own button "Share" writes, undocumented. Every configuration is a row, the best first;
    charts draw all of them.
    """
    state = {
        "searchFilter": _EACH_ONCE,
        "orderByKey": "metrics.`objective`",
        "orderByAsc": not maximize,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
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
        "selectedColumns": ["metrics.`objective`", "metrics.`seeds`", "params.`optimizer`", "params.`learning_rate`"],
        "compareRunSections": [
            {
                "uuid": "optselect-what",
                "name": "What matters",
                "display": True,
                "isReordered": True,
                "columns": 2,
                "cardHeight": 360,
            },
            {
                "uuid": "optselect-curves",
                "name": "Curves",
                "display": True,
                "isReordered": True,
                "columns": 2,
                "cardHeight": 360,
            },
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
        {"type": "LINE", "metricKey": name, "selectedMetricKeys": [name], "selectedYAxisMetricKey": name,
         "xAxisKey": "step", "yAxisKey": "metric", "xAxisScaleType": "linear", "lineSmoothness": 0,
         "scaleType": "log" if "loss" in name else "linear"}
        for name in ("val_loss", "loss", "learning_rate", "gradient_norm")
    ]  # fmt: skip
    made = [(chart, "optselect-what") for chart in what] + [(chart, "optselect-curves") for chart in curves]
    return [
        {"uuid": f"optselect-{number}", "runsCountToCompare": 500, "deleted": False, "isGenerated": False,
         "metricSectionId": section, "displayName": "", **chart}
        for number, (chart, section) in enumerate(made)
    ]  # fmt: skip


def link(server: str, experiment: str) -> str:
    """The address of the view. server: its root. Of itself MLflow opens in its mode for language models.

    A filter in the address would switch the view off.
    """
    view = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={_NAME}"
    return f"{server}/#/experiments/{experiment}/runs?{view}"
