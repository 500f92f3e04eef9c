#!/usr/bin/env bash
# Loads image tars into the one-machine cluster under DIR.
# usage: load.sh DIR IMAGE.tar...
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: load.sh DIR IMAGE.tar..." >&2; exit 2; }
k=$(cd "$1" && pwd)
shift
for tar in "$@"; do "$k/bin/ctr" -a "$k/containerd/containerd.sock" -n k8s.io images import "$tar" >/dev/null 2> >(grep -v DEPRECATION >&2); done
