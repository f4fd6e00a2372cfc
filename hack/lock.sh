#!/bin/sh
# Renews the committed locks from pyproject.toml. Needs uv; hashes are of every platform's files.
set -eu
cd "$(dirname "$0")/.."
lock() {
  out=$1; shift
  uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --custom-compile-command "make lock" -o "requirements/$out" "$@"
}
lock run.txt pyproject.toml requirements/build.in --extra standalone
all="--extra standalone --extra operator"
lock build.txt requirements/build.in -c requirements/run.txt
lock collector.txt pyproject.toml --extra collector -c requirements/run.txt
lock api.txt pyproject.toml --extra api -c requirements/run.txt
lock dev.txt pyproject.toml requirements/build.in $all --group dev -c requirements/run.txt
lock operator.txt pyproject.toml --extra operator -c requirements/dev.txt
lock bench.txt pyproject.toml requirements/build.in $all --group dev --group bench -c requirements/dev.txt
