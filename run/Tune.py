"""Fine-tune on your own pairs: python run/Tune.py --data my_pairs"""

try:
    from inspyrenet.commands.options import check_clone
    from inspyrenet.commands.tune import main
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

import sys

if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
