#!/usr/bin/env bash
# Builds the parts of the one-machine cluster into DIR/bin: about 20 minutes on two cores with cold caches, more than half of
# them for Kubernetes, seconds with warm ones. What is built already is left as it is.
# usage: build.sh DIR [PART]   (image: the tool that writes images, in seconds; kubernetes; tools: containerd, CoreDNS and helm;
#                               all of them, side by side, when none is named)
set -euo pipefail
case "$# ${2:-all}" in "1 all" | "2 image" | "2 kubernetes" | "2 tools") ;; *) echo "usage: build.sh DIR [image|kubernetes|tools]" >&2; exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
out=$(cd "$1" && pwd)
# flags that differ make the compiler do its work twice: these are the product's, whose packages CoreDNS and helm share
export GOFLAGS=-buildvcs=false GOTOOLCHAIN=local CGO_ENABLED=0
export GOGC=400 # the compiler collects its garbage less often, which takes a twentieth of its time
like_product=(-trimpath -gcflags=all=-dwarf=0 -ldflags='-s -w')
# what shares nothing with the product is compiled without inlining, in two thirds of the time
quick='-gcflags=all=-l -dwarf=0'
version=$(sed -n 's#^\tk8s.io/kubernetes v##p' "$here/kubeone/go.mod")
stamp=$(cat "$here"/build.sh "$here"/tools.work "$here"/*/go.mod "$here"/*/main.go | sha256sum | cut -c1-16)

say() { printf '%s %s\n' "$(date +%T)" "$*"; }

image() { (cd "$here/image" && go build "${like_product[@]}" -o "$out/bin/image" .); }

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
  (cd "$here" && GOWORK=$here/tools.work go build "${like_product[@]}" -o "$out/bin/" ./coredns helm.sh/helm/v4/cmd/helm)
  say "containerd, CoreDNS and helm are built"
}

once() {
  [ "$(cat "$out/bin/.stamp-$1" 2>/dev/null)" = "$stamp" ] && return
  "$1"
  echo "$stamp" >"$out/bin/.stamp-$1"
}

case ${2:-} in
image) image ;;
kubernetes | tools) once "$2" ;;
*)
  image
  # side by side, as downloading and linking leave a core idle; each in a group of its own, to be stopped as a whole
  set -m
  once kubernetes </dev/null &
  once tools </dev/null &
  set +m
  builds=$(jobs -p)
  trap 'for build in $builds; do kill -- "-$build" 2>/dev/null || true; done' EXIT
  wait -n
  wait -n
  trap - EXIT
  ;;
esac
