"""Look at data sets before a run: python run/Data.py check|show|split PATH"""

try:
    from inspyrenet.commands.data import main
    from inspyrenet.commands.options import check_clone
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

import sys

if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
