#!/usr/bin/env bash
# The whole suite of metric cards: samples into DIR/samples.csv, the table into DIR/table.txt and DIR/table.md. It refuses to start on a
# busy machine and waits before each part until the machine is idle again. A part that fails leaves its cards as not measured.
# usage: run.sh DIR [ROUNDS]   (30 rounds of what is compared, unless told)
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: run.sh DIR [ROUNDS]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd) rounds=${2:-30}
cd "$(dirname "$0")/../.."
integration/packages.sh postgresql chromium
report=$out/report
go build -o "$report" ./integration/bench/report
go vet ./integration/bench ./integration/e2e # compiles what is measured with, so that no compiler runs beside it
"$report" -quiet 3m
mv -f "$out/samples.csv" "$out/samples.last.csv" 2>/dev/null || true
samples=$out/samples.csv
export SEATRIAL_BENCH=$out/part.csv
failed=()
part() {
  local name=$1; shift
  echo "== $name: $*"
  "$report" -quiet 5m || { failed+=("$name (the machine was busy)"); return; }
  rm -f "$SEATRIAL_BENCH"
  if ! "$@" 2>&1 | tee "$out/${name// /-}.log"; then
    failed+=("$name")
  elif [ -s "$SEATRIAL_BENCH" ]; then
    cat "$SEATRIAL_BENCH" >>"$samples" # its line of names is skipped wherever it stands
  fi
}
part "way of a test" integration/test.sh ./integration/e2e -run none -bench '^BenchmarkWay$' -benchtime "${rounds}x" -timeout 60m -v
part "logs" integration/test.sh ./integration/e2e -run none -bench '^BenchmarkLogs$' -benchtime "$(((rounds + 9) / 10))x" -timeout 60m -v
part "load" integration/test.sh ./integration/e2e -run none -bench '^BenchmarkLoad$' -benchtime "$(((rounds + 9) / 10))x" -timeout 60m -v
part "starts" go test ./integration/footprint -count 1 -v
part "idle agent" integration/test.sh ./integration/e2e -run '^TestFootprint$' -count 1 -v
part "capacity" make --no-print-directory bench-capacity
part "results" make --no-print-directory bench-results
part "log page" make --no-print-directory bench-log
"$report" "$samples" | tee "$out/table.txt"
"$report" -markdown "$samples" >"$out/table.md"
[ ${#failed[@]} -eq 0 ] || { printf 'not measured: %s\n' "${failed[@]}" >&2; exit 1; }
