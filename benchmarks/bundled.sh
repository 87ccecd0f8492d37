#!/usr/bin/env bash
# Makes other weights the bundled model, then measures again the scores that the documentation prints for it:
#   benchmarks/bundled.sh WEIGHTS LOGS
# WEIGHTS: a file or the folder of a run of configs/InSPyReNet_Bundled.yaml. LOGS: a folder for the output of every step, and for the
# features that the part for clicks learns from. A step that has ended is not done again, so a run that was stopped goes on with the
# same command. Needs DUTS-TR in data/Train_Dataset and ECSSD in data/Test_Dataset; takes about two hours on two cores, and the last
# step, bfloat16, an hour more on a CPU without instructions for it. Times, pictures and the int8 file are made by the commands in the
# documentation.
set -euo pipefail
[ $# -eq 2 ] || {
    sed -n "2,8s/^# \?//p" "$0" >&2
    exit 2
}
weights=$(realpath -- "$1") logs=$(realpath -m -- "$2")
cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
mkdir -p "$logs"
python=.venv/bin/python bundled=src/inspyrenet/weights/default recipe=configs/InSPyReNet_Bundled.yaml
train=data/Train_Dataset test=data/Test_Dataset/ECSSD results=benchmarks/results

step() { # name, command…
    local name=$1
    shift
    [ ! -e "$logs/$name.done" ] || return 0
    echo "$(date +%T) $name"
    "$@" >"$logs/$name.log" 2>&1 || {
        tail -n 5 "$logs/$name.log" >&2
        echo "error: the step $name failed; its output is in $logs/$name.log" >&2
        exit 1
    }
    touch "$logs/$name.done"
}
stale() { rm -f "$results"/{held_out,quality,interactive,cleaning,flicker,precision_bundled}.json; }
clicks() { "$python" benchmarks/interactive/compare.py --json "$results/interactive.json" "$@"; }
held_out=(--data "$train/DUTS-TR" --held-out InSPyReNet_Bundled)

step model "$python" docs/scripts/make_default_model.py InSPyReNet_Bundled "$weights"
step stale stale
step calibrate "$python" benchmarks/quality/calibrate.py --root "$train" --sets DUTS-TR --held-out "$recipe"
step held_out "$python" benchmarks/held_out.py --config "$recipe" --ckpt "$bundled.safetensors" --json "$results/held_out.json" \
    --variant 320 \
    --variant 352 "Test.Dataset.transforms.static_resize.size=[352,352]" \
    --variant 384 "Test.Dataset.transforms.static_resize.size=[384,384]"
step test "$python" run/Test.py --config "$bundled.yaml" --verbose
step eval "$python" run/Eval.py --config "$bundled.yaml" --verbose
step quality "$python" benchmarks/quality/calibrate.py --root data/Test_Dataset --sets ECSSD --score --json "$results/quality.json"
step masks_held_out clicks "${held_out[@]}" --every 4 --mask
step masks clicks --data "$test" --every 10 --mask
step grabcut clicks --data "$test" --every 25 --most 10
step cleaning "$python" benchmarks/mending/cleaning.py --config "$recipe" --json "$results/cleaning.json"
step flicker "$python" -m benchmarks.flicker.compare --json "$results/flicker.json"
step head "$python" benchmarks/interactive/train_head.py --parts "$bundled" --config InSPyReNet_Bundled --root "$train" \
    --work "$logs/features" --minutes 40
step clicks_held_out clicks "${held_out[@]}" --every 8 --way prompts
step clicks clicks --data "$test" --every 5 --way prompts
step precision "$python" benchmarks/precision.py --config "$bundled.yaml" --json "$results/precision_bundled.json"
