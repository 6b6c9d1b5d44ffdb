"""Early stopping: every training takes the epochs that it needs, and the verdict compares the weights that are kept.

uv run python examples/early_stopping.py
"""

from __future__ import annotations

import optselect


def main(trials: int = 21, epochs: int = 100, patience: int = 5) -> None:
    """Tune on scikit-learn's diabetes table; say how long each optimizer trained, and print the code to paste."""
    result = optselect.tune(
        None,
        "sklearn:diabetes",
        trials=trials,
        epochs=epochs,
        patience=min(patience, epochs - 1),
        optimizers=["adam", "sgd", "rmsprop"],
        tracking=optselect.Tracking(mlflow=None),
    )
    print(result.verdict.text())
    for used in result.verdict.epochs:
        print(f"{used.arm}: {used.spread} epochs, of which it kept epoch {used.best_epoch:g}")
    print(result.snippet)


if __name__ == "__main__":
    main()
