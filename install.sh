#!/usr/bin/env bash
# Sets up this clone in .venv; a second run is done in a second. `./install.sh --help` says more.
set -euo pipefail

usage() {
    cat <<'EOF'
usage: ./install.sh [--light | --dev] [--extras NAME…] [--weights NAME…] [--data NAME…] [--sota NAME…]

Makes .venv in this clone, installs the tested versions (requirements.txt) and this package into it, editable.
Without options it is for research, with the extra train (PyTorch and so on): 2–3 minutes and about 6 GB.
A second run finds that done, needs no network and takes a second.

  --light          only what cutting out with the bundled model needs: 20 seconds and a quarter of a GB
  --dev            all extras: also what tests, video, web page, export and so on need
  --extras NAME…   these extras of pyproject.toml as well; an environment made with --light stays light
  --weights NAME…  then fetch these published weights        (as .venv/bin/inspyrenet d does, which lists them)
  --data NAME…     these data sets, into data/
  --sota NAME…     these methods' maps, into snapshots/
  --verbose        show what pip says
  --help

PYTHON=/path/to/python ./install.sh   uses that Python (3.11 or newer) instead of looking for one.
VENV=FOLDER ./install.sh              makes that folder, relative to the clone, instead of .venv.
pip's own settings (PIP_INDEX_URL, PIP_PROXY, pip.conf …) are respected.
EOF
}

cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null
VENV=${VENV:-.venv}
STAMP=$VENV/installed
LOG=$VENV/install.log
case $VENV in /*) place=$VENV ;; *) place=$PWD/$VENV ;; esac

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# -- options ---------------------------------------------------------------------------------------------------------

extras=""
light=""
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
    --light) light=1 ;;
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
            [ -t 0 ] || fail "$1 needs at least one name ($VENV/bin/inspyrenet models lists them)"
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
case "$light$extras" in 1*\**) fail "--light and --dev are two different installations: choose one" ;; esac

# -- what is there, what is wanted -------------------------------------------------------------------------------------

# plan PYTHON: prints `ready` or `install`, then the extras; fails with a line on an unknown extra.
# plan PYTHON begin: notes in the stamp that what was there may be incomplete.
# plan PYTHON end EXTRAS: notes that these are installed.
plan() {
    LIGHT=$light WANTED=$extras STAMP=$STAMP "$1" - "${@:2}" <<'EOF'
import hashlib, json, os, platform, sys, tomllib
from importlib import metadata
from pathlib import Path

here = Path.cwd()
known = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"].get("optional-dependencies", {})
wanted = os.environ["WANTED"].split()
unknown = [name for name in wanted if name != "*" and name not in known]
if unknown:
    sys.exit(f"install.sh: no extra called {', '.join(unknown)}; there is: {', '.join(sorted(known))}")
added = bool(wanted)
wanted = set(known) if "*" in wanted else set(wanted)

parts = [Path("pyproject.toml").read_bytes(), Path("requirements.txt").read_bytes()]
parts += [platform.python_version().encode(), str(here).encode()]
digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

stamp = Path(os.environ["STAMP"])
before, names, was = "", [], ""
if stamp.is_file():
    before, _, line = stamp.read_text(encoding="utf-8").partition("\n")
    names = line.split()
    was = "light" if "light" in names else "full"
wanted |= set(names) & set(known)  # what an earlier run added stays
light = was != "full" if os.environ["LIGHT"] else was == "light" and added
if not light or any("inspyrenet[train]" in line for name in wanted for line in known[name]):
    wanted.add("train")


def editable():
    """The package is installed from this clone: a plain `pip install .` would have replaced that."""
    try:
        origin = json.loads(metadata.distribution("inspyrenet").read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        return False
    return origin.get("dir_info", {}).get("editable") and origin.get("url") == here.as_uri()


step, *chosen = sys.argv[1:] or ["plan"]
if step == "begin":
    if was:
        stamp.write_text(f"unfinished\n{' '.join(names)}\n", encoding="utf-8")
elif step == "end":
    chosen = chosen[0].split(",")
    kind = [] if "train" in chosen else ["light"]
    stamp.write_text(f"{digest}\n{' '.join(kind + chosen)}\n", encoding="utf-8")
else:
    done = before == digest and wanted <= set(names) and editable()
    print("ready" if done else "install", ",".join(sorted(wanted)))
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

# What an installation takes while pip unpacks; what is there already needs no room.
check_disk() {
    local free
    set -- "$VENV"/lib/python*/site-packages/$([ "$need_mb" -lt 1000 ] && echo onnxruntime || echo torch)
    [ ! -d "$1" ] || return 0
    free=$(free_kb) || return 0
    [ "$free" -ge $((need_mb * 1024)) ] ||
        fail "only $(size $((free / 1024))) are free in $PWD, about $(size "$need_mb") are needed"
}

# size MB: in words.
size() { if [ "$1" -lt 1000 ]; then printf '%s MB' "$1"; else printf '%s GB' "$(($1 / 1000))"; fi; }

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
        fail "the disk is full: free about $(size "$need_mb") and run it again (log: $place/install.log)"
    elif tail -n 12 "$LOG" | grep -qiE 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|name resolution|new connection|unreachable|Read timed out|Connection (reset|aborted|refused)'; then
        fail "no package registry in reach: check the network or the proxy and run it again (log: $place/install.log)"
    fi
    fail "pip stopped: $(grep -E '^ *(ERROR|error):' "$LOG" | tail -n 1 | sed 's/^ *[A-Za-z]*: *//') (log: $place/install.log)"
}

# What --weights, --data and --sota ask for; verified against its checksum before it is used.
download() { [ ${#fetch[@]} -eq 0 ] || "$VENV/bin/python" -m inspyrenet d "${fetch[@]}" || exit $?; }

# decide PYTHON: what there is to do; sets `todo` (ready or install), `chosen` (extras) and `need_mb`.
decide() {
    local plan
    plan=$(plan "$1")
    todo=${plan%% *} chosen=${plan#* }
    case ,$chosen, in *,train,*) need_mb=8000 ;; *) need_mb=600 ;; esac
    if [ -n "$light" ] && [ $need_mb -gt 1000 ]; then
        say "Not light: the extra train is in $place already, or one of the extras that were asked for needs it."
    fi
}

python=$VENV/bin/python
if usable "$python"; then
    if [ -n "${PYTHON:-}" ] && [ "$(version "$PYTHON")" != "$(version "$python")" ]; then
        fail "$VENV has Python $(version "$python"), not that of PYTHON=$PYTHON: delete $place to change it"
    fi
    decide "$python"
    if [ "$todo" = ready ]; then
        say "Ready: $place is as pyproject.toml and requirements.txt say."
        download
        exit 0
    fi
else
    found=$(find_python)
    decide "$found"
    check_disk
    say "Making $place with Python $(version "$found")."
    "$found" -m venv --clear "$VENV" || fail "$found could not make $place"
fi
check_disk

if [ $need_mb -gt 1000 ]; then
    costs="2–3 minutes and about 6 GB" next="$VENV/bin/python Expr.py --config configs/Quickstart.yaml --verbose"
else
    costs="20 seconds and a quarter of a GB" next="$VENV/bin/inspyrenet photo.jpg"
fi
say "Installing the tested versions and this package${chosen:+ with $chosen}: $costs the first time."
: >"$LOG"
plan "$python" begin
run_pip "setuptools>=70.1" || explain
run_pip --no-build-isolation --constraint requirements.txt --editable ".${chosen:+[$chosen]}" || explain
plan "$python" end "$chosen"
download
say "Done in $SECONDS s. Next: $next"
