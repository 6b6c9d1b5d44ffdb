"""Models: the default for the shape of the data, and the users' own; how their outputs are judged and served."""
