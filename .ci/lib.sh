# Shared by the scripts here: a scratch directory that is removed at the end, and a copy of the checkout in it.

step() { printf '\n==== %s (%d s)\n' "$1" "$SECONDS"; }

# Work in a copy of the checkout without what earlier builds left there.
copy_tree() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/tree"
    tar -c --exclude=./.git --exclude=./build --exclude='*.so' --exclude='*.egg-info' . | tar -x -C "$scratch/tree"
    cd "$scratch/tree"
}

# The instruction sets of the installed package that this machine can run, the default first.
available_isas() { python -c 'from fastconv import _kernels; print(*_kernels.available())'; }

# The tests of what kernels compute: an instruction set changes nothing else, and one that the default builds on only
# those that the default has of its own.
tests_of_kernels() {
    if [ "$1" = x86_vnni ] && available_isas | grep -q x86_amx; then
        echo tests/test_nn.py tests/test_nn_direct.py tests/test_nn_quantised.py tests/test_build.py
    elif [ "$1" = x86_v4 ] && available_isas | grep -q x86_vnni; then
        echo tests/test_ndimage_bytes.py tests/test_nn_quantised.py tests/test_build.py
    else
        ls tests/test_*.py | grep -vE "test_(cli|threads|memory|robust|demo|gallery|layers|readme|reference|faults|cost|"\
"explain|minimal|bad_input|toom_cook|nn_arguments|ndimage_arguments|probability|probability_sums)\.py"
    fi
}
