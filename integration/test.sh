#!/usr/bin/env bash
# Every test of the project, with race detector and shuffle: installs what is missing, starts PostgreSQL and Redis in containers
# and the one-machine cluster, runs `go test`, and stops what it started. Arguments go to `go test`; none means every package.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${SEATRIAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seatrial}
gotestsum_version=v1.13.0
export GOFLAGS=${GOFLAGS:--buildvcs=false} GOTOOLCHAIN=local
say() { printf '%s %s\n' "$(date +%T)" "$*"; }

integration/packages.sh gcc git openssl iproute2 runc containernetworking-plugins etcd-server iptables conntrack mmdebstrap \
  docker.io docker-registry postgresql redis-server chromium
command -v npm >/dev/null || integration/packages.sh npm

say "preparing the one-machine cluster (about 22 minutes on two cores when nothing is cached, seconds otherwise)"
integration/kube/build.sh "$cache/kube" image
# mostly downloads: made beside the compiler's work, in a group of its own, to be stopped as a whole
mkdir -p "$cache/test"
setsid deploy/demo/images.sh "$cache/images" "$cache/kube/bin" pytest databases postgres tools playwright >"$cache/test/images.log" 2>&1 </dev/null &
making=$!
trap 'kill -- "-$making" 2>/dev/null || true' EXIT
integration/kube/build.sh "$cache/kube"
started=1 # what ran before stays
integration/alive.sh "$cache/kube/kubelet.pid" kubelet && started=
stop() {
  [ -z "$making" ] || kill -- "-$making" 2>/dev/null || true
  if [ -n "$started" ]; then integration/kube/down.sh "$cache/kube"; fi
  integration/docker/down.sh "$cache/docker"
}
trap stop EXIT
integration/kube/up.sh "$cache/kube" >"$cache/kube/up.log" 2>&1 || { tail -20 "$cache/kube/up.log" >&2; exit 1; }
export SEATRIAL_TEST_KUBE=$cache/kube

say "building the programs and loading their images"
export SEATRIAL_TEST_TAG=${SEATRIAL_TEST_TAG:-local} # clones that share a cluster need tags of their own
deploy/images.sh "$cache/test" "$cache/kube/bin" "$SEATRIAL_TEST_TAG"
wait "$making" || { cat "$cache/test/images.log" >&2; echo "the test image could not be made" >&2; exit 1; }
making=
integration/kube/load.sh "$cache/kube" "$cache"/test/{agent,runner,controlplane}.tar "$cache"/images/{pytest,postgres}.tar "$cache"/images/{tools,playwright}-*.tar
export SEATRIAL_TEST_PROGRAMS=$cache/test/bin

say "preparing PostgreSQL and Redis in containers"
if DOCKER_HOST=$(integration/docker/up.sh "$cache/docker" "$cache/kube/bin/image" "$cache/images/databases.rootfs.tar"); then
  export DOCKER_HOST TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1
else
  say "no Docker engine could be started: tests use local PostgreSQL and Redis binaries"
fi

# What only takes the compiler's time is left out: debug information, `go vet` (the linters have it), and the paths of this clone,
# which would make its packages others than those of the next. The product is built the same way, so that what it uses is there.
lean=(-trimpath -gcflags=all=-dwarf=0)
gotestsum=$cache/test/bin/gotestsum-$gotestsum_version
[ -x "$gotestsum" ] || {
  CGO_ENABLED=0 GOBIN=$cache/test/gobin go install "${lean[@]}" "gotest.tools/gotestsum@$gotestsum_version"
  mv "$cache/test/gobin/gotestsum" "$gotestsum"
}

if [ $# -eq 0 ]; then
  say "measuring what the race detector would disturb"
  CGO_ENABLED=0 go test -vet=off "${lean[@]}" ./controlplane/results/format/...
  # the chain on the cluster first: it takes longest, and mostly waits
  set -- ./integration/e2e ./...
fi
# what only computes is not looked into by the race detector, which takes ten times as long for it: SQLite, which is C that was
# translated to Go, and the hash of passwords. Nothing that instantiates types of the library may be here: the linker keeps one copy.
# A benchmark is for its figures, which the detector would change.
case " $* " in *" -bench "*) ;; *) lean+=(-race) ;; esac
for package in modernc.org/sqlite/lib golang.org/x/crypto/{argon2,blake2b}; do lean+=("-gcflags=$package=-dwarf=0 -race=false"); done
say "running the tests"
go build "${lean[@]}" -o "$cache/servers" ./integration/servers
# The compiler may hold more garbage, for speed; the tests may not. What is skipped is listed at the end, with the reason.
run=("$gotestsum" --format pkgname --format-hide-empty-pkg --jsonfile "$cache/test/tests.json" --)
case " $* " in *" -bench "*) run=(go test) ;; esac # a benchmark is for its output, which gotestsum takes for a test without an end
: >"$cache/test/tests.json"
figures() { sed -n 's/.*"Output":".*figures: \(.*\)\\n"}$/\1/p' "$cache/test/tests.json"; }
failed=0
GOGC=400 "$cache/servers" "${run[@]}" \
  "${lean[@]}" -vet=off -shuffle=on -timeout=20m -exec "env -u GOGC" "$@" || failed=$?
if [ -n "$(figures)" ]; then echo "What the tests measured:" && figures; fi
exit "$failed"
