"""Where trials run: worker processes on this machine, and those that stay up between two studies."""
