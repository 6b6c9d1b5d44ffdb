"""A study's arms where Optuna and optuna-dashboard read them: a file of its own, and a database for many studies."""

from optselect.sinks.optuna_db.copy import Mirror
from optselect.sinks.optuna_db.database import Database
from optselect.sinks.optuna_db.sqlite_file import export, holds

__all__ = ["Database", "Mirror", "export", "holds"]
