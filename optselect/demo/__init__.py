"""Optimizers going down a surface, or training a model, side by side: numbers and an animation."""

from optselect.demo.animation import check_film
from optselect.demo.run import RACES, Race, race

__all__ = ["RACES", "Race", "check_film", "race"]
