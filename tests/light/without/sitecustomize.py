"""Python imports this file when it starts with this folder in PYTHONPATH: modules named in $WITHOUT are as if not installed."""

import os
import sys
from importlib.machinery import PathFinder

WITHOUT = os.environ.get("WITHOUT", "").split(",")


class Without(PathFinder):
    """Finds everything but these."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        """As PathFinder does."""
        return None if fullname.partition(".")[0] in WITHOUT else super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Without
