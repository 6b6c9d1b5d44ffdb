"""Search spaces: from the rules' declarations or a YAML file to Optuna suggestions and a configuration."""

from optselect.spaces.document import Mistake
from optselect.spaces.loading import available, check, find, load_space
from optselect.spaces.space import Space, default_space
from optselect.spaces.writing import write_yaml

__all__ = ["Mistake", "Space", "available", "check", "default_space", "find", "load_space", "write_yaml"]
