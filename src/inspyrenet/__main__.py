"""python -m inspyrenet: the same as the command `inspyrenet`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
