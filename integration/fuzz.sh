#!/usr/bin/env bash
# Fuzzes every target of the project for a span of time each, such as 10s.
# usage: fuzz.sh TIME
set -euo pipefail
[ $# = 1 ] || { echo "usage: fuzz.sh TIME" >&2; exit 2; }
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# -fuzzminimizetime 1x: time is for new inputs, not for making interesting ones smaller
fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1x "$1" >"$log" 2>&1; }

time=$1
grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do
  for name in $(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | cut -c6-); do
    echo "$(dirname "$file") $name"
    fuzz "$(dirname "$file")" "$name" && continue
    # The go command may call its own time limit a failure when a worker is busy at that moment; no input has failed then.
    if grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"; then
      fuzz "$(dirname "$file")" "$name" && continue
    fi
    cat "$log" >&2
    exit 1
  done
done
