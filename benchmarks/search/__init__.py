"""How soon a search finds good settings: strategies side by side over a table of real trainings, and live."""
