#!/usr/bin/env bash
# All that a GPU is needed for, in at most 8 minutes: bash benchmarks/gpu.sh FOLDER [PART ...]
#
#   --dry-run   on the CPU: does each part run?
#   FOLDER      gets a log of each part, and run.json for `python -m benchmarks.results`
#   PART        tests, agree, bench, same or train (default: all); one is run again by its name
#
# Needs Linux, Python 3.10 or newer, torch, numpy, scipy, pillow, safetensors, filelock, tqdm and
# threadpoolctl; for the tests pytest and hypothesis. Not needed: network, Numba, Matplotlib.
# PYTHON names another interpreter. What lies in a folder vendor/ beside benchmarks/ is found
# first: pip install --no-deps --target vendor ... brings along what a machine lacks.
# Not yet run on a GPU; the dry run has been, with Python 3.12 and torch 2.11.
set -u
device=cuda
if [ "${1:-}" = --dry-run ]; then
    device=cpu
    shift
fi
if [ $# -lt 1 ]; then
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
mkdir -p "$1" || exit 2
logs=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
export PYTHONPATH="$PWD/vendor:$PWD${PYTHONPATH:+:$PYTHONPATH}" MPLBACKEND=agg
train=("$python" -m minicnn.train --backend torch --device "$device" --no-plots --quiet)
if [ $device = cpu ]; then
    train+=(--train-size 200 --val-size 100 --threads 1)
    export OMP_NUM_THREADS=1 # two threads wait for each other on a busy machine
fi
failed=0

part() { # name, most seconds, command: its output goes to a log, its end is told; the next part runs in any case
    local name=$1 most=$2 started=$SECONDS status
    shift 2
    timeout --kill-after=10 "$most" "$@" > "$logs/$name.log" 2>&1
    status=$?
    case $status in
        0) status=well ;;
        124 | 137) status="STOPPED after $most s" ;;
        *) status="FAILED with status $status" ;;
    esac
    [ "$status" = well ] || failed=1
    printf '%-14s %4d s  %s\n' "$name" $((SECONDS - started)) "$status"
    grep -v '^ *$' "$logs/$name.log" | tail -n 3 | cut -c1-150 | sed 's/^/    /'
    [ "$status" = well ]
}

tests() { # the same bodies; on the CPU those that take a device
    local marked=(-m gpu)
    [ $device = cuda ] || marked=(-k "captured and not gpu")
    part tests 150 "$python" -m pytest -q -p no:cacheprovider "${marked[@]}" tests/kernels/test_torch_set.py \
        tests/inspect/test_agree.py tests/training/test_captured.py tests/training/test_devices.py
}

agree() {
    part agree 50 "$python" -m minicnn.agree --backend torch --device $device --examples "$([ $device = cuda ] && echo 60 || echo 5)"
}

bench() {
    rm -f "$logs/run.json"
    part bench 120 "$python" -m benchmarks gpu --device $device --json "$logs/run.json"
}

same() { # two runs with --deterministic have the same bits; what that costs stands in metrics.csv
    rm -rf "$logs/one" "$logs/two"
    part same-one 25 "${train[@]}" --deterministic --epochs 6 --shuffle --out "$logs/one" &&
        part same-two 25 "${train[@]}" --deterministic --epochs 6 --shuffle --out "$logs/two" &&
        part same-bits 5 cmp "$logs/one/model.safetensors" "$logs/two/model.safetensors"
}

train() { # with a graph and without; with nccl on all GPUs where there are several
    rm -rf "$logs/graph" "$logs/no-graph" "$logs/several"
    part graph 25 "${train[@]}" --epochs 6 --out "$logs/graph"
    part no-graph 25 "${train[@]}" --epochs 6 --no-graph --out "$logs/no-graph"
    local gpus
    gpus=$("$python" -c "import torch; print(torch.cuda.device_count())")
    [ "$gpus" -lt 2 ] || part several 40 "$python" -m torch.distributed.run --standalone --nproc-per-node="$gpus" \
        -m minicnn.train --backend torch --device cuda --no-plots --quiet --epochs 6 --out "$logs/several"
}

"$python" - > "$logs/machine.log" 2>&1 << 'EOF'
import importlib.util as find
import platform
import torch
wanted = "numpy scipy PIL safetensors filelock tqdm threadpoolctl pytest hypothesis"
missing = [name for name in wanted.split() if not find.find_spec(name)]
print("Python", platform.python_version(), "torch", torch.__version__, "missing:", ", ".join(missing) or "nothing")
print(torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")
EOF
cat "$logs/machine.log"
[ $# -gt 0 ] || set -- tests agree bench same train
for name in "$@"; do
    case $name in
        tests | agree | bench | same | train) "$name" ;;
        *) echo "There is no part $name; there are tests, agree, bench, same and train." >&2; failed=1 ;;
    esac
done
exit $failed
