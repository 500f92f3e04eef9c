#!/usr/bin/env bash
# Makes a Docker engine available for tests and loads the images they ask for, made of a root file system that has both servers, without
# a registry. Uses the engine at DOCKER_HOST when that answers, else starts one of its own under DIR. Prints the address to export.
# usage: up.sh DIR IMAGE_TOOL ROOTFS   (ROOTFS: that of the databases, see deploy/demo/images.sh)
set -euo pipefail
[ $# = 3 ] || { echo "usage: up.sh DIR IMAGE_TOOL ROOTFS" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd) image=$2 rootfs=$3
socket=${DOCKER_HOST:-unix://$dir/docker.sock}
alive() { docker -H "$socket" info >/dev/null 2>&1; }

if ! alive; then
  [ -z "${DOCKER_HOST:-}" ] || { echo "no Docker engine answers at $DOCKER_HOST; unset DOCKER_HOST to have one started" >&2; exit 1; }
  setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --host "$socket" --pidfile "$dir/dockerd.pid" >"$dir/dockerd.log" 2>&1 &
  for _ in $(seq 150); do alive && break; sleep 0.2; done
  alive || { echo "dockerd did not start; the end of $dir/dockerd.log:" >&2; tail -5 "$dir/dockerd.log" >&2; exit 1; }
fi

# server NAME:TAG ENTRYPOINT
server() {
  docker -H "$socket" image inspect "$1" >/dev/null 2>&1 && return
  local tar=$dir/${1//[:\/]/-}.tar
  if [ ! -s "$tar" ]; then
    "$image" -o "$tar.tmp" -t "$1" -rootfs "$rootfs" -entrypoint /entrypoint "/entrypoint=$2"
    mv "$tar.tmp" "$tar"
  fi
  docker -H "$socket" load --quiet --input "$tar" >&2
}
server seatrial-test/postgres:15 "$here/postgres.sh"
server seatrial-test/redis:7 "$here/redis.sh"
echo "$socket"
