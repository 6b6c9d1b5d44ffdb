"""One call of `tune` from end to end: its stages, the files that it writes, its copies in MLflow and Optuna."""
