#!/usr/bin/env bash
# Removes all that up.sh made, but the caches that make the next start quick; with --purge those too.
set -uo pipefail
cd "$(dirname "$0")/../.."
cache=${SEATRIAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seatrial}
kube=$cache/kube state=$cache/demo
running() { integration/alive.sh "$state/controlplane.pid" seatrial-controlplane; }
if running; then kill "$(cat "$state/controlplane.pid")"; fi
while running; do sleep 0.1; done
if [ -s "$state/kubeconfig" ]; then
  export KUBECONFIG=$state/kubeconfig PATH=$kube/bin:$PATH
  if kubectl get --raw /readyz --request-timeout=5s >/dev/null 2>&1; then
    helm uninstall seatrial-demo --namespace seatrial --ignore-not-found >/dev/null
    kubectl delete namespace seatrial seatrial-tests seatrial-shop --ignore-not-found --timeout=90s >/dev/null
  fi
fi
if [ -z "${DEMO_CONTEXT:-}" ] && [ -d "$kube" ]; then integration/kube/down.sh "$kube"; fi
rm -rf "$state"
[ "${1:-}" = --purge ] && rm -rf "$cache"
echo "The demo is gone."
