"""Animations of rules going down a surface: GIF, MP4 and a page that needs nothing else."""

from optselect.report.animation.film import FORMATS, check_film, film
from optselect.report.animation.scene import Lane, Scene

__all__ = ["FORMATS", "Lane", "Scene", "check_film", "film"]
