"""Search spaces: from the rules' declarations or a YAML file to Optuna suggestions and a configuration."""

from optselect.spaces.space import Space, available, default_space, load_space, write_yaml

__all__ = ["Space", "available", "default_space", "load_space", "write_yaml"]
