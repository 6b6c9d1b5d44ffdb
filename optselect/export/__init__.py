"""A study's arms where Optuna and optuna-dashboard read them: a file of its own, and a database for many studies."""

from optselect.export.database import Database
from optselect.export.file import export, holds
from optselect.export.mirror import Mirror

__all__ = ["Database", "Mirror", "export", "holds"]
