"""Animations of rules going down a surface: GIF, MP4 and a page that needs nothing else."""

from optselect.demo.animation.film import FORMATS, check_film, film
from optselect.demo.animation.scene import Lane, Scene

__all__ = ["FORMATS", "Lane", "Scene", "check_film", "film"]
