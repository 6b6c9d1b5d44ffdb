"""Pictures of MLflow's pages, of a real study on a real server: `just mlflow-pictures`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

import optselect

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.mirror import server
from tests.helpers.browsing import Pages, lines

IMAGES = Path(__file__).parent / "images"
OPTIMIZERS = ["adam", "adamw", "sgd", "muon", "radam"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "mlflow.db") as address:
        result = optselect.tune(
            None,
            "sklearn:digits",
            trials=60,
            epochs=10,
            optimizers=OPTIMIZERS,
            run=optselect.RunOptions(out=folder),
            tracking=optselect.Tracking(mlflow=address),
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            _photograph(browser.new_page(viewport={"width": 1500, "height": 900}), address, result.dashboard)
            browser.close()


def _photograph(page: Any, address: str, link: str) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("optselect/digits").experiment_id
    wanted = "tags.`optselect.kind` = 'configuration'"
    found = client.search_runs([experiment], wanted, order_by=["metrics.objective ASC"])
    pages, best = Pages(page, address, experiment), found[0]

    pages.tree()
    for name in ("digits", best.data.tags["optselect.arm"], best.info.run_name):
        pages.expand(name)
        page.wait_for_timeout(1000)
    _save(page, "mlflow-runs")

    pages.visit(link)
    page.get_by_text("Curves").first.wait_for()
    close = page.get_by_role("button", name="Close")
    if close.count():  # what MLflow says of shared views
        close.first.click()
    page.wait_for_timeout(5000)
    _save(page, "mlflow-compare")

    each = {run.data.params["schedule"]: run.info.run_id for run in reversed(found)}  # the best of every schedule
    pages.metric("learning_rate", each.values())
    lines(page)
    page.wait_for_timeout(2000)
    _save(page, "mlflow-learning-rate")


def _save(page: Any, name: str) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
