#!/bin/sh
# Make the virtual environment VENV and install endash, its extras and its development tools into it.
#
#     sh scripts/install.sh VENV PYTHON
#
# The one hard part is torch: on Linux a plain `pip install torch` may bring gigabytes of GPU libraries, and the GPU build
# does not import without them. So torch goes first, as the CPU build from wherever it can be had; pip then keeps it.
# TORCH='torch==2.13.0' in the environment asks for that requirement instead, GPU libraries and all.
set -eu

venv=$1
python=$2
cpu_index=https://download.pytorch.org/whl/cpu
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "endash: $*" >&2; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "Python 3.11 or newer is needed, and '$python' is not: name one, such as make test PYTHON=python3.12"
    exit 2
fi

# An interrupted run may have left half an environment, and one that was moved or copied runs another folder's scripts:
# both are made anew. The stamp is gone until all is installed, and then holds the folder's name.
made_in=$(cat "$venv/.installed" 2>/dev/null || pwd -P)
rm -f "$venv/.installed"
if [ "$made_in" != "$(pwd -P)" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "making $venv"
    "$python" -m venv --clear "$venv"
fi

pip() { "$venv/bin/python" -m pip "$@"; }
install() { pip install --quiet --quiet --no-deps "$@"; }

install_torch() {
    if [ -n "${TORCH:-}" ]; then
        say "installing $TORCH, as TORCH asks"
        pip install --quiet --quiet "$TORCH"
        return
    fi
    if "$venv/bin/python" -c 'import sys, importlib.metadata as m; sys.exit(not m.version("torch").startswith("2.13.0"))' 2>/dev/null; then
        return
    fi
    say "installing torch 2.13.0"
    if [ "$(uname -s)" != Linux ]; then # elsewhere the one build there is needs no GPU libraries
        install torch==2.13.0
    elif install torch==2.13.0+cpu 2>/dev/null; then
        say "torch: the CPU build of the configured package index"
    elif install torch==2.13.0+cpu --index-url "$cpu_index" --timeout 10 --retries 1; then
        say "torch: the CPU build of $cpu_index"
    else
        say "torch: no CPU build was found in the configured package index nor at $cpu_index."
        say "torch: taking the index's own build, with the GPU libraries that it needs (some gigabytes)."
        pip install --quiet --quiet torch==2.13.0
    fi
}

pip install --quiet --quiet --upgrade 'pip>=25.1' # the first that knows dependency groups
install_torch
say "installing endash and its tools"
pip install --quiet --quiet --editable '.[pictures]' --group dev
pwd -P > "$venv/.installed"
