"""MLflow's pages in a browser, as somebody sees them who follows a study's link."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

__all__ = ["Pages", "lines"]

PATIENCE = 60_000.0  # milliseconds, on a busy machine


class Pages:
    """One window on one server. page: of Playwright. server, experiment: address and id."""

    def __init__(self, page: Any, server: str, experiment: str) -> None:
        self.page, self._root = page, f"{server}/#/experiments/{experiment}"
        self._server, self._experiment = server, experiment
        page.set_default_timeout(PATIENCE)

    def visit(self, address: str) -> None:
        """Open an address; MLflow's chat, which covers a quarter of a new visitor's window, is closed."""
        self.page.goto("about:blank")  # an address that differs behind # alone would not be loaded anew
        self.page.goto(address)
        self.page.get_by_role("button", name="Toggle sidebar").wait_for()
        close = self.page.locator("[data-component-id='mlflow.assistant.chat_panel.close']")
        self.page.wait_for_timeout(1000)  # it slides in
        if close.count():
            close.click()

    def tree(self) -> None:
        """The table of runs, the oldest first: what others hang below comes before them."""
        self.visit(f"{self._root}/runs?workflowType=machine_learning&orderByKey=attributes.start_time&orderByAsc=true")
        self.page.locator(".ag-row").first.wait_for()
        more = self.page.get_by_role("button", name="Load more")  # a hundred at a time
        while more.count():
            more.click()
            self.page.wait_for_timeout(2000)

    def row(self, name: str) -> Any:
        """The table's row of the run with this name."""
        return self.page.locator(".ag-row").filter(has=self.page.get_by_role("link", name=name, exact=True)).first

    def expand(self, name: str) -> None:
        """Show what hangs below a run."""
        self.row(name).locator("[data-component-id*='runnamecellrenderer']").first.click()

    def curves(self, run: str) -> None:
        """All curves of a run."""
        self.visit(f"{self._root}/runs/{run}/model-metrics?workflowType=machine_learning")

    def chart(self, name: str) -> Any:
        """The chart of a metric on a page of charts."""
        card = self.page.locator("[data-testid='experiment-view-compare-runs-card']")
        return card.filter(has=self.page.get_by_text(name, exact=True)).first

    def metric(self, name: str, runs: Iterable[str]) -> None:
        """One metric of several runs."""
        asked = {
            "runs": json.dumps(list(runs)),
            "metric": json.dumps(name),
            "experiments": json.dumps([self._experiment]),
            "plot_metric_keys": json.dumps([name]),
            "x_axis": "step",
            "workflowType": "machine_learning",
        }
        self.visit(f"{self._server}/#/metric?" + "&".join(f"{key}={quote(value)}" for key, value in asked.items()))

    def compare(self, runs: Iterable[str]) -> None:
        """Several runs side by side."""
        asked = quote(json.dumps(list(runs)))
        self.visit(f"{self._server}/#/compare-runs?runs={asked}&experiments=[%22{self._experiment}%22]")

    def artifact(self, run: str, path: str) -> Any:
        """A file of a run in MLflow's viewer; the frame that shows it."""
        self.visit(f"{self._root}/runs/{run}/artifacts/{path}?workflowType=machine_learning")
        return self.page.frame_locator("iframe")


def lines(chart: Any) -> list[int]:
    """How many corners each line has that is drawn in a chart; waits for the first."""
    drawn = chart.locator(".scatterlayer path.js-line")
    drawn.first.wait_for(state="attached")
    return [len(re.findall(r"[ML]", line.get_attribute("d"))) for line in drawn.all()]
