#!/usr/bin/env bash
# Builds the parts of the one-machine cluster into DIR/bin: Kubernetes takes about 10 minutes, containerd 2, CoreDNS 3 on two cores
# with cold caches, seconds with warm ones. What is built already is left as it is.
# usage: build.sh DIR
set -euo pipefail
[ $# = 1 ] || { echo "usage: build.sh DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
out=$(cd "$1" && pwd)
export GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
version=$(sed -n 's#^\tk8s.io/kubernetes v##p' "$here/kubeone/go.mod")
stamp=$(cat "$here"/*/go.mod "$here"/*/main.go | sha256sum | cut -c1-16)
[ "$(cat "$out/bin/.stamp" 2>/dev/null)" = "$stamp" ] && exit 0

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
say "building Kubernetes $version (about 10 minutes when nothing is cached)"
pkg=k8s.io/component-base/version
(cd "$here/kubeone" && go build -ldflags "-s -w -X $pkg.gitVersion=v$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=$(cut -d. -f2 <<<"$version")" -o "$out/bin/kubeone" .)
for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do ln -sf kubeone "$out/bin/$name"; done
say "building containerd (about 3 minutes)"
# containerd 2 from its module: Debian's 1.6 cannot mount images as volumes
(cd "$here/containerd" && CGO_ENABLED=0 go build -tags 'no_btrfs no_devmapper no_zfs' -ldflags '-s -w' -o "$out/bin" tool)
say "building CoreDNS (about 3 minutes)"
(cd "$here/coredns" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/bin/coredns" .)
say "building helm (about 4 minutes)"
(cd "$here/helm" && CGO_ENABLED=0 go build -ldflags "-s -w" -o "$out/bin" tool)
(cd "$here/image" && go build -o "$out/bin/image" .)
echo "$stamp" >"$out/bin/.stamp"
