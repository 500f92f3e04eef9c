#!/usr/bin/env bash
# Builds the programs as static binaries into DIR, each under the name by which it is installed.
# usage: build.sh DIR [PROGRAM...]   (all when none is named)
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: build.sh DIR [PROGRAM...]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
# GOGC: the compiler collects its garbage less often, which takes a twentieth of its time
export CGO_ENABLED=0 GOGC=400 GOFLAGS=${GOFLAGS:--buildvcs=false} GOTOOLCHAIN=local
# a repository that merely encloses the sources knows nothing of their version
[ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] && found=$(git describe --tags --always --dirty 2>/dev/null) || found=dev
version=${VERSION:-$found}
declare -A source=(
  [seatrial]=./ui/cli [seatrial-controlplane]=./controlplane [seatrial-agent]=./agent
  [seatrial-runner]=./agent/runner [seatrial-source]=./agent/source
)
[ $# -gt 0 ] || set -- "${!source[@]}"
# debug information would be made only to be left out (-s -w)
for program in "$@"; do
  [ -n "${source[$program]:-}" ] || { echo "build.sh: no program $program; there are ${!source[*]}" >&2; exit 2; }
  go build -trimpath -gcflags=all=-dwarf=0 -ldflags "-s -w -X main.version=$version" -o "$out/$program" "${source[$program]}"
done
