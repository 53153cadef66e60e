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
