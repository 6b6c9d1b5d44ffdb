"""Optimizers going down a surface, or training a model, side by side: numbers and an animation."""

from optselect.demo.animation import check_film
from optselect.demo.descent import Descent
from optselect.demo.run import CATALOG, descend

__all__ = ["CATALOG", "Descent", "check_film", "descend"]
