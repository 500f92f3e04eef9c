#!/usr/bin/env bash
# Builds the parts of the one-machine cluster into DIR/bin: about 25 minutes on two cores with cold caches, more than half of
# them for Kubernetes, seconds with warm ones. What is built already is left as it is.
# usage: build.sh DIR [image]   (with `image` only the tool that writes images, which takes seconds)
set -euo pipefail
[ $# = 1 ] || [ "$*" = "$1 image" ] || { echo "usage: build.sh DIR [image]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
out=$(cd "$1" && pwd)
# flags that differ make the compiler do its work twice: they are alike wherever packages are shared
export GOFLAGS=-buildvcs=false GOTOOLCHAIN=local CGO_ENABLED=0
# what shares nothing with the product is compiled without inlining and debug information, in two thirds of the time
quick='-gcflags=all=-l -dwarf=0'
(cd "$here/image" && go build -trimpath -ldflags '-s -w' -o "$out/bin/image" .)
[ $# = 1 ] || exit 0
version=$(sed -n 's#^\tk8s.io/kubernetes v##p' "$here/kubeone/go.mod")
stamp=$(cat "$here"/build.sh "$here"/tools.work "$here"/*/go.mod "$here"/*/main.go | sha256sum | cut -c1-16)
[ "$(cat "$out/bin/.stamp" 2>/dev/null)" = "$stamp" ] && exit 0

say() { printf '%s %s\n' "$(date +%T)" "$*"; }

kubernetes() {
  say "building Kubernetes $version"
  local pkg=k8s.io/component-base/version
  (cd "$here/kubeone" && CGO_ENABLED=1 go build "$quick" -ldflags "-s -w -X $pkg.gitVersion=v$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=$(cut -d. -f2 <<<"$version")" -o "$out/bin/kubeone" .)
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do ln -sf kubeone "$out/bin/$name"; done
  say "Kubernetes is built"
}

tools() {
  say "building containerd"
  # containerd 2 from its module: Debian's 1.6 cannot mount images as volumes
  (cd "$here/containerd" && go build "$quick" -tags 'no_btrfs no_devmapper no_zfs' -ldflags '-s -w' -o "$out/bin" tool)
  say "building CoreDNS and helm"
  (cd "$here" && GOWORK=$here/tools.work go build -trimpath -ldflags '-s -w' -o "$out/bin/" ./coredns helm.sh/helm/v4/cmd/helm)
  say "containerd, CoreDNS and helm are built"
}

# side by side, as downloading and linking leave a core idle; each in a group of its own, to be stopped as a whole
set -m
kubernetes </dev/null &
tools </dev/null &
set +m
builds=$(jobs -p)
trap 'for build in $builds; do kill -- "-$build" 2>/dev/null || true; done' EXIT
wait -n
wait -n
trap - EXIT
echo "$stamp" >"$out/bin/.stamp"
