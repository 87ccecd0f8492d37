"""See how a network comes to its map: python run/Explain.py photo.jpg"""

try:
    from inspyrenet.commands.explain import main
    from inspyrenet.commands.options import check_clone
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

import sys

if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
