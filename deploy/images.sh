#!/usr/bin/env bash
# Builds the images of agent, runner and control plane as tars into OUT, without registry or daemon, and the programs into OUT/bin. What has
# not changed keeps its bytes.
# usage: images.sh OUT BIN [TAG]   (BIN holds `image`, see integration/kube/build.sh)
set -euo pipefail
[ $# = 2 ] || [ $# = 3 ] || { echo "usage: images.sh OUT BIN [TAG]" >&2; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1/bin"
out=$(cd "$1" && pwd) bin=$(cd "$2" && pwd) tag=${3:-local}
cd "$here"
"$here/deploy/build.sh" "$out/bin"
cas=()
[ -s /etc/ssl/certs/ca-certificates.crt ] && cas=("/etc/ssl/certs/ca-certificates.crt=/etc/ssl/certs/ca-certificates.crt")
"$bin/image" -o "$out/agent.tar" -t "docker.io/seatrial/agent:$tag" -entrypoint /seatrial-agent -user 65532 \
  "/seatrial-agent=$out/bin/seatrial-agent" "${cas[@]}"
"$bin/image" -o "$out/runner.tar" -t "docker.io/seatrial/runner:$tag" -entrypoint /seatrial-runner -user 65532 \
  "/seatrial-runner=$out/bin/seatrial-runner" "/seatrial-source=$out/bin/seatrial-source" "${cas[@]}"
# with the command, by which `helm test` looks at it
"$bin/image" -o "$out/controlplane.tar" -t "docker.io/seatrial/controlplane:$tag" -entrypoint /seatrial-controlplane -user 65532 \
  "/seatrial-controlplane=$out/bin/seatrial-controlplane" "/seatrial=$out/bin/seatrial" "${cas[@]}"
