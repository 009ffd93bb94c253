#!/bin/sh
# Makes .venv beside this file with all that running Acervo needs; `setup.sh dev` adds what building and testing need.
# Needs Python 3.11 or newer and a package index; needs no root. PYMUPDF=0 leaves the AGPL-licensed PDF engine out.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
        "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue
        echo "$name"
        return
    done
    say "Acervo needs Python 3.11, 3.12 or 3.13: install one, or name it with PYTHON=..."
    exit 1
}

# Debian ships Python without ensurepip: then a pip beside it serves, or, as root, the package that brings it.
make_venv() {
    if "$1" -m venv .venv >/dev/null 2>&1; then return; fi
    rm -rf .venv
    if "$1" -m pip --version >/dev/null 2>&1; then
        "$1" -m venv --without-pip .venv
        "$1" -m pip --python .venv/bin/python install --quiet pip
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing python3-venv"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
        "$1" -m venv .venv
        return
    fi
    say "Python cannot make virtual environments here: install the package python3-venv, then try again."
    exit 1
}

install() {
    say "installing $1 (hash-locked)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$1.txt"
}

[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || make_venv "$(find_python)"
install run
[ "${PYMUPDF:-1}" = 0 ] || install pymupdf
[ "${1:-}" != dev ] || install dev
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
