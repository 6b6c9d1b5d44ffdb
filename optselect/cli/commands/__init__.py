"""One module a command, each with a `command`; found by looking into this folder."""
