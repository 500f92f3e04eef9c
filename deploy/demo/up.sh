#!/usr/bin/env bash
# The whole of Seatrial on one machine: a real cluster (or the one of DEMO_CONTEXT), the control plane, an agent installed by its
# chart, a shop as the application under test, and three workflows that are run. Everything is left running; down.sh removes it.
# Running it again is quick and harmless.
#
#   DEMO_CONTEXT  use this kubeconfig context instead of the one-machine cluster; no other context is ever touched
#   DEMO_LOAD     with DEMO_CONTEXT: command that loads an image tar into that cluster, such as "kind load image-archive"
#   DEMO_ADDRESS  with DEMO_CONTEXT: address by which pods of that cluster reach this machine
#   DEMO_PORT     port of pages and API (8080); agents use DEMO_AGENT_PORT (9443)
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${SEATRIAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seatrial}
kube=$cache/kube state=$cache/demo port=${DEMO_PORT:-8080} agents=${DEMO_AGENT_PORT:-9443}
name=demo namespace=seatrial-tests
export GOFLAGS=${GOFLAGS:--buildvcs=false} GOTOOLCHAIN=local
begun=$SECONDS
say() { printf '%s %s\n' "$(date +%T)" "$*"; }
die() { echo "demo: $*" >&2; exit 1; }
mkdir -p "$state"
chmod 700 "$state"

say "checking the machine"
integration/packages.sh ca-certificates curl gcc git openssl mmdebstrap
if [ -z "${DEMO_CONTEXT:-}" ]; then
  integration/packages.sh runc containernetworking-plugins etcd-server iptables conntrack
fi
command -v npm >/dev/null || integration/packages.sh npm

say "preparing the tools of the cluster and Seatrial (about 22 minutes on two cores when nothing is cached, seconds otherwise)"
integration/kube/build.sh "$kube" image
# The test images are mostly downloads, and linking Kubernetes leaves a core idle: they are made beside the rest, each in a group of
# its own, to be stopped as a whole.
setsid deploy/demo/images.sh "$cache/images" "$kube/bin" >"$state/images.log" 2>&1 </dev/null &
making=$!
setsid integration/kube/build.sh "$kube" kubernetes </dev/null &
kubernetes=$!
trap 'kill -- "-$making" "-$kubernetes" 2>/dev/null || true' EXIT
go list -deps ./agent/... ./controlplane ./ui/cli >/dev/null 2>&1 </dev/null & # downloads their modules; a failure shows when they are built
integration/kube/build.sh "$kube" tools
export PATH=$kube/bin:$PATH
say "building Seatrial"
deploy/images.sh "$state" "$kube/bin"
CGO_ENABLED=0 go build -trimpath -gcflags=all=-dwarf=0 -ldflags '-s -w' -o "$state/bin/shop" ./deploy/demo/shop
image -o "$state/shop.tar" -t docker.io/seatrial-demo/shop:local -entrypoint /shop -user 65532 "/shop=$state/bin/shop"
wait "$kubernetes" || die "Kubernetes could not be built"

if [ -n "${DEMO_CONTEXT:-}" ]; then
  [ -n "${DEMO_LOAD:-}" ] || die "DEMO_CONTEXT needs DEMO_LOAD, the command that loads an image tar into that cluster, such as DEMO_LOAD='kind load image-archive'"
  [ -n "${DEMO_ADDRESS:-}" ] || die "DEMO_CONTEXT needs DEMO_ADDRESS, the address by which that cluster's pods reach this machine"
  "$kube/bin/kubectl" config view --raw --minify --flatten --context="$DEMO_CONTEXT" >"$state/kubeconfig" || die "there is no context $DEMO_CONTEXT in your kubeconfig"
  load() { $DEMO_LOAD "$1"; }
  address=$DEMO_ADDRESS
else
  say "starting the one-machine cluster"
  integration/kube/up.sh "$kube" >"$kube/up.log" 2>&1 || { tail -20 "$kube/up.log" >&2; die "the cluster did not start"; }
  cp "$kube/kubeconfig" "$state/kubeconfig"
  load() { integration/kube/load.sh "$kube" "$1"; }
  address=$(hostname -I | cut -d' ' -f1)
fi
chmod 600 "$state/kubeconfig"
export KUBECONFIG=$state/kubeconfig

[ ! -d "/proc/$making" ] || say "waiting for the test images: $(tail -1 "$state/images.log" | cut -d' ' -f2-)"
wait "$making" || { cat "$state/images.log" >&2; die "the test images could not be made"; }
trap - EXIT

say "loading images into the cluster"
for tar in "$state"/{agent,runner,shop}.tar "$cache"/images/pytest.tar "$cache"/images/playwright-*.tar; do
  mark=$state/loaded-$(basename "$tar")
  sum=$(stat -c '%s %Y' "$tar" | cat - <(sha256sum <"$KUBECONFIG") <(case $tar in "$state"/*) sha256sum <"$tar" ;; esac))
  [ "$(cat "$mark" 2>/dev/null)" = "$sum" ] && continue
  load "$tar"
  echo "$sum" >"$mark"
done

say "starting the control plane"
server=http://127.0.0.1:$port
running() { integration/alive.sh "$state/controlplane.pid" seatrial-controlplane; }
build=$(sha256sum <"$state/bin/seatrial-controlplane")
if running && [ "$(cat "$state/controlplane.build" 2>/dev/null)" != "$build $port $agents" ]; then
  kill "$(cat "$state/controlplane.pid")"
  while running; do sleep 0.1; done
fi
if ! running; then
  setsid "$state/bin/seatrial-controlplane" --data-dir "$state/data" --listen "127.0.0.1:$port" --agent-listen "0.0.0.0:$agents" \
    --agent-address "$address:$agents" --agent-chart "$PWD/charts/agent" >"$state/controlplane.out" 2>>"$state/controlplane.log" </dev/null &
  echo $! >"$state/controlplane.pid"
  echo "$build $port $agents" >"$state/controlplane.build"
fi
for _ in $(seq 300); do
  running || { tail -5 "$state/controlplane.log" >&2; die "the control plane ended"; }
  curl -fs "$server/readyz" >/dev/null && break
  sleep 0.1
done
curl -fs "$server/readyz" >/dev/null || die "the control plane did not become ready; its log is $state/controlplane.log"
if grep -q 'API token' "$state/controlplane.out"; then
  (umask 077; sed -nE 's/^ *(E-mail|Password|API token) +(.*)$/\1=\2/p' "$state/controlplane.out" >"$state/credentials")
fi
credential() { sed -n "s/^$1=//p" "$state/credentials"; }
[ -s "$state/credentials" ] || die "the credentials of the first start are gone; make demo-down and start again"
SEATRIAL_TOKEN=$(credential 'API token')
export SEATRIAL_SERVER=$server SEATRIAL_TOKEN
seatrial() { "$state/bin/seatrial" "$@"; }

say "deploying the shop, the application under test"
kubectl apply -f deploy/demo/shop.yaml >/dev/null
kubectl -n seatrial-shop patch deployment shop --type merge -p \
  "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"demo-image\":\"$(sha256sum <"$state/shop.tar" | cut -c1-16)\"}}}}}" >/dev/null
kubectl -n seatrial-shop rollout status deployment/shop --timeout=120s >/dev/null

say "installing the agent by its chart"
images=(--set image=docker.io/seatrial/agent:local --set runner.image=docker.io/seatrial/runner:local
  --set imagePullPolicy=Never --set runner.imagePullPolicy=Never --set linger=2m
  --set "podAnnotations.demo-image=$(sha256sum <"$state/agent.tar" | cut -c1-16)"
  --set-json 'subjects=[{"namespace":"seatrial-shop","selector":"app=shop"}]' # what is under test: its images are evidence
  --set-json 'triggers.namespaces=["seatrial-shop"]') # where a rollout may start tests
if seatrial cluster list 2>/dev/null | grep -qE "^$name +connected"; then
  helm upgrade "seatrial-$name" charts/agent --namespace seatrial --reuse-values "${images[@]}" >/dev/null
else
  # the command that people are shown, word for word, plus where this demo's images are
  bash -c "$(seatrial cluster enroll "$name" --environment demo --namespace "$namespace" 2>/dev/null) $(printf '%q ' "${images[@]}")" >/dev/null
fi
kubectl -n seatrial rollout status "deployment/seatrial-$name" --timeout=120s >/dev/null ||
  { kubectl -n seatrial logs "deployment/seatrial-$name" --tail=5 >&2; die "the agent did not connect"; }

say "applying and running three workflows"
seatrial apply -f deploy/demo/workflows -f deploy/demo/policy.yaml -f deploy/demo/trigger.yaml
wrong=0
expect() { # expect EXIT_CODE WORKFLOW WHY
  echo
  local code=0
  seatrial run "$2" --env demo --wait || code=$?
  if [ "$code" = "$1" ]; then echo "→ as meant: $3"; else wrong=1; echo "→ NOT as meant: exit code $code instead of $1 ($3)"; fi
}
expect 0 shop-alive "a shell check that passes"
expect 1 shop-api "a pytest suite with one test that fails on purpose"
expect 0 shop-browser "a Playwright test in Debian's Chromium"

say "asking whether the release is ready"
digest=$(kubectl -n seatrial-shop get pods -l app=shop --sort-by=.metadata.creationTimestamp \
  -o jsonpath='{.items[-1:].status.containerStatuses[0].imageID}' | grep -oE 'sha256:[0-9a-f]{64}') || die "the shop has no image"
release=1.0.0+${digest:7:8}
seatrial release create shop "$release" --image "shop=$digest" >/dev/null
code=0
seatrial release gate shop "$release" || code=$?
if [ $code = 1 ]; then echo "→ as meant: the test that fails on purpose keeps it from being ready"; else wrong=1; echo "→ NOT as meant: exit code $code instead of 1"; fi
[ $wrong = 0 ] || die "an example did not end as it is meant to"

cat <<TXT

Seatrial is running at $server (took $((SECONDS - begun)) s).
  sign in      $(credential E-mail) with the password $(credential Password)
  command      export PATH=$state/bin:\$PATH SEATRIAL_SERVER=$server SEATRIAL_TOKEN=$SEATRIAL_TOKEN
  try          seatrial get executions
               seatrial run shop-api --follow
               seatrial release status shop $release
  a rollout    kubectl -n seatrial-shop rollout restart deployment/shop && seatrial events
  your own     seatrial apply -f FILE.yaml && seatrial run NAME --follow
  kubectl      export KUBECONFIG=$KUBECONFIG
  remove       make demo-down
TXT
