"""A page to try a network on one's own images: python run/Demo.py, then open http://127.0.0.1:7860"""

try:
    from inspyrenet.commands.options import check_clone
    from inspyrenet.demo.command import main
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

import sys

if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
