"""The search: one Optuna study an arm, one shared budget, a durable record of every trial."""
