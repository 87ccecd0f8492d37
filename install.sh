#!/usr/bin/env bash
# Sets up this clone in .venv; a second run is done in a second. `./install.sh --help` says more.
set -euo pipefail

usage() {
    cat <<'EOF'
usage: ./install.sh [--dev | --extras NAME…] [--weights NAME…] [--data NAME…] [--sota NAME…]

Makes .venv in this clone, installs the tested versions (requirements.txt) and this package into it, editable:
2–3 minutes and about 6 GB. A second run finds that done, needs no network and takes a second.

  --dev            all extras: also what tests, video, web page, export and so on need
  --extras NAME…   these extras of pyproject.toml
  --weights NAME…  then fetch these published weights        (as .venv/bin/inspyrenet d does, which lists them)
  --data NAME…     these data sets, into data/
  --sota NAME…     these methods' maps, into snapshots/
  --verbose        show what pip says
  --help

PYTHON=/path/to/python ./install.sh   uses that Python (3.11 or newer) instead of looking for one.
pip's own settings (PIP_INDEX_URL, PIP_PROXY, pip.conf …) are respected.
EOF
}

cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null
VENV=.venv
STAMP=$VENV/installed
LOG=$VENV/install.log
NEED_GB=8 # what an installation takes while pip unpacks

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# -- options ---------------------------------------------------------------------------------------------------------

extras=""
verbose=""
fetch=()

# count_names WORD…: how many words come before the next option.
count_names() {
    local count=0
    while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do
        count=$((count + 1))
        shift
    done
    printf '%s\n' "$count"
}
while [ $# -gt 0 ]; do
    case $1 in
    --dev) extras="$extras *" ;;
    --extras)
        [ $# -gt 1 ] && [ "${2#-}" = "$2" ] || fail "--extras needs at least one name (see pyproject.toml)"
        while [ $# -gt 1 ] && [ "${2#-}" = "$2" ]; do
            extras="$extras ${2//,/ }"
            shift
        done
        ;;
    --weights | --data | --sota)
        count=$(count_names "${@:2}")
        names=("${@:2:count}")
        if [ "$count" = 0 ]; then
            [ -t 0 ] || fail "$1 needs at least one name (.venv/bin/inspyrenet models lists them)"
            read -r -p "Names for $1, separated by blanks: " -a names
        fi
        fetch+=("$1" "${names[@]}")
        shift "$count"
        ;;
    --verbose | -v) verbose=1 ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) fail "unknown option $1 (./install.sh --help lists them)" ;;
    esac
    shift
done

# -- what is there, what is wanted -------------------------------------------------------------------------------------

# plan PYTHON: prints `ready`, or `install` and the extras; fails with a line on an unknown extra.
# plan PYTHON write: notes in the stamp that the plan is done.
plan() {
    WANTED=$extras STAMP=$STAMP "$1" - "${2:-}" <<'EOF'
import hashlib, json, os, platform, sys, tomllib
from importlib import metadata
from pathlib import Path

here = Path.cwd()
known = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"].get("optional-dependencies", {})
wanted = os.environ["WANTED"].split()
unknown = [name for name in wanted if name != "*" and name not in known]
if unknown:
    sys.exit(f"install.sh: no extra called {', '.join(unknown)}; there is: {', '.join(sorted(known))}")
wanted = set(known) if "*" in wanted else set(wanted)

parts = [Path("pyproject.toml").read_bytes(), Path("requirements.txt").read_bytes()]
parts += [platform.python_version().encode(), str(here).encode()]
digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

stamp = Path(os.environ["STAMP"])
before, had = "", set()
if stamp.is_file():
    before, _, names = stamp.read_text(encoding="utf-8").partition("\n")
    had = set(names.split()) & set(known)
wanted |= had  # what an earlier run added stays


def editable():
    """The package is installed from this clone: a plain `pip install .` would have replaced that."""
    try:
        origin = json.loads(metadata.distribution("inspyrenet").read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        return False
    return origin.get("dir_info", {}).get("editable") and origin.get("url") == here.as_uri()


if sys.argv[1] == "write":
    stamp.write_text(f"{digest}\n{' '.join(sorted(wanted))}\n", encoding="utf-8")
elif before == digest and wanted <= had and editable():
    print("ready")
else:
    print("install", ",".join(sorted(wanted)))
EOF
}

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
version() { "$1" -c 'import platform; print(platform.python_version())'; }

# Prints the Python to build .venv with: 3.12 and 3.11 are tested, newer ones are tried.
find_python() {
    local candidate without=""
    if [ -n "${PYTHON:-}" ]; then
        usable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that runs"
        has_venv "$PYTHON" || fail "PYTHON=$PYTHON has no venv module (Debian, Ubuntu: apt install python3-venv)"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3.12 python3.11 python3 python python3.13 python3.14; do
        if usable "$candidate"; then
            if has_venv "$candidate"; then
                printf '%s\n' "$candidate"
                return
            fi
            without=$candidate
        fi
    done
    [ -z "$without" ] || fail "$without has no venv module (Debian, Ubuntu: apt install $without-venv)"
    fail "no Python 3.11 or newer found: install one, or name it: PYTHON=/path/to/python ./install.sh"
}

free_kb() { df -Pk . | { read -r _ && read -r _ _ _ free _ && printf '%s\n' "$free"; }; }

check_disk() {
    local free
    set -- "$VENV"/lib/python*/site-packages/torch
    [ ! -d "$1" ] || return 0
    free=$(free_kb) || return 0
    [ "$free" -ge $((NEED_GB * 1024 * 1024)) ] ||
        fail "only $((free / 1024 / 1024)) GB are free in $PWD, about $NEED_GB GB are needed"
}

# -- installing ------------------------------------------------------------------------------------------------------

# pip, its words in the log; on a terminal the seconds go by.
run_pip() {
    local ticker="" status=0
    set -- "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input "$@"
    if [ -n "$verbose" ]; then
        "$@" 2>&1 | tee -a "$LOG" || status=$?
        return $status
    fi
    if [ -t 1 ]; then
        (while sleep 1 && kill -0 $$ 2>/dev/null; do printf '\r  %d s ' "$SECONDS"; done) &
        ticker=$!
    fi
    "$@" >>"$LOG" 2>&1 || status=$?
    [ -z "$ticker" ] || { kill "$ticker" 2>/dev/null && printf '\r'; } || :
    return $status
}

# One line about why pip stopped.
explain() {
    if grep -qi 'No space left on device' "$LOG"; then
        fail "the disk is full: free about $NEED_GB GB and run it again (log: $PWD/$LOG)"
    elif tail -n 12 "$LOG" | grep -qiE 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|name resolution|new connection|unreachable|Read timed out|Connection (reset|aborted|refused)'; then
        fail "no package registry in reach: check the network or the proxy and run it again (log: $PWD/$LOG)"
    fi
    fail "pip stopped: $(grep -E '^ *(ERROR|error):' "$LOG" | tail -n 1 | sed 's/^ *[A-Za-z]*: *//') (log: $PWD/$LOG)"
}

# What --weights, --data and --sota ask for; verified against its checksum before it is used.
download() { [ ${#fetch[@]} -eq 0 ] || "$VENV/bin/python" -m inspyrenet d "${fetch[@]}" || exit $?; }

python=$VENV/bin/python
if usable "$python"; then
    if [ -n "${PYTHON:-}" ] && [ "$(version "$PYTHON")" != "$(version "$python")" ]; then
        fail "$VENV has Python $(version "$python"), not that of PYTHON=$PYTHON: delete $PWD/$VENV to change it"
    fi
    todo=$(plan "$python")
    if [ "$todo" = ready ]; then
        say "Ready: $PWD/$VENV is as pyproject.toml and requirements.txt say."
        download
        exit 0
    fi
else
    found=$(find_python)
    todo=$(plan "$found")
    check_disk
    say "Making $PWD/$VENV with Python $(version "$found")."
    "$found" -m venv --clear "$VENV" || fail "$found could not make $PWD/$VENV"
fi
check_disk

chosen=${todo#install}
chosen=${chosen# }
say "Installing the tested versions and this package${chosen:+ with $chosen}: 2–3 minutes and about 6 GB the first time."
: >"$LOG"
rm -f "$STAMP"
run_pip -r requirements.txt "setuptools>=70.1" || explain
run_pip --no-build-isolation --constraint requirements.txt --editable ".${chosen:+[$chosen]}" || explain
plan "$python" write
download
say "Done in $SECONDS s. Next: $VENV/bin/python Expr.py --config configs/Quickstart.yaml --verbose"
