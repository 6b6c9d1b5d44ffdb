"""Copies of a study for other tools: MLflow, and databases that Optuna reads. The ledger alone is the record."""
