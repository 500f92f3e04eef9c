#!/usr/bin/env bash
# Stops the Docker engine that up.sh DIR started, and nothing else.
# usage: down.sh DIR
set -euo pipefail
[ $# = 1 ] || { echo "usage: down.sh DIR" >&2; exit 2; }
[ -s "$1/dockerd.pid" ] || exit 0
pid=$(cat "$1/dockerd.pid")
kill "$pid" 2>/dev/null || exit 0
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
