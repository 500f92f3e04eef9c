#!/usr/bin/env bash
# Looks for known weaknesses in what is linked. Where their database cannot be reached nothing can be said, which is said, and is no
# failure.
set -euo pipefail
cd "$(dirname "$0")/.."
db=${GOVULNDB:-https://vuln.go.dev}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rc=0
govulncheck -db "$db" ./... 2> >(tee "$log" >&2) || rc=$?
if [ $rc -ne 0 ] && grep -Eq 'dial tcp|no such host|i/o timeout|TLS handshake timeout|proxyconnect|HTTP (GET|HEAD) .* (403|407|5[0-9][0-9])' "$log"; then
  echo "vuln: NOT CHECKED: the database of vulnerabilities, $db, cannot be reached from here; GOVULNDB names a copy of it" >&2
  exit 0
fi
exit $rc
