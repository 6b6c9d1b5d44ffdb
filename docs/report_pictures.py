"""Pictures of a report, of a real study: `just report-pictures`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import optselect

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        result = optselect.tune(
            None,
            "sklearn:diabetes",
            trials=60,
            epochs=20,
            run=optselect.RunOptions(out=folder),
            tracking=optselect.Tracking(mlflow=None),
        )
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1180, "height": 1560}, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto((result.directory.absolute() / "report.html").as_uri())
            page.screenshot(path=IMAGES / f"report-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    main()
