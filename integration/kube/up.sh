#!/usr/bin/env bash
# Starts a real single-node Kubernetes under DIR (after build.sh DIR); does nothing when it runs already. Needs root and, from
# Debian: runc containernetworking-plugins etcd-server iptables conntrack openssl gcc.
# Writes DIR/kubeconfig and one pid file for each process; down.sh DIR stops exactly those.
# usage: up.sh DIR
set -euo pipefail
[ $# = 1 ] || { echo "usage: up.sh DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
k=$(cd "$1" && pwd) ip=$(hostname -I | cut -d' ' -f1) port=${KUBE_PORT:-6443}
bin=$k/bin
if "$here/../alive.sh" "$k/kubelet.pid" kubelet; then
  "$bin/kubectl" --kubeconfig="$k/kubeconfig" wait --for=condition=Ready node/node1 --timeout=60s >/dev/null && exit 0
  echo "the cluster under $k runs but its node is not ready; stop it with $here/down.sh $k and start again" >&2; exit 1
fi
mkdir -p "$k"/{log,cni,kubelet,certs,containerd,pause}
run() { local name=$1; shift; setsid "$@" >"$k/log/$name.log" 2>&1 & echo $! >"$k/$name.pid"; }

sysctl -qw net.ipv4.ip_forward=1
[ -f "$k/sa.key" ] || { openssl genrsa -out "$k/sa.key" 2048; openssl rsa -in "$k/sa.key" -pubout -out "$k/sa.pub"; } 2>/dev/null
[ -f "$k/token" ] || openssl rand -hex 24 >"$k/token"
echo "$(cat "$k/token"),admin,admin,\"system:masters\"" >"$k/tokens.csv"; chmod 600 "$k/tokens.csv" "$k/token"

cat >"$k/cni/10-bridge.conflist" <<CNI
{"cniVersion":"0.4.0","name":"kubeone","plugins":[
 {"type":"bridge","bridge":"kubeone0","isGateway":true,"ipMasq":true,"hairpinMode":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
CNI
PATH=$bin:$PATH   # build.sh's containerd 2 before Debian's 1.6: it can mount images as volumes
containerd config default | sed \
  -e "s#^root = .*#root = '$k/containerd/root'#" -e "s#^state = .*#state = '$k/containerd/state'#" \
  -e "s#/run/containerd/containerd.sock#$k/containerd/containerd.sock#" -e "s#sandbox = '.*pause.*'#sandbox = 'registry.k8s.io/pause:3.6'#" \
  -e "s#bin_dirs = .*#bin_dirs = ['/usr/lib/cni']#" -e "s#conf_dir = '/etc/cni/net.d'#conf_dir = '$k/cni'#" \
  -e 's#restrict_oom_score_adj = false#restrict_oom_score_adj = true#' >"$k/containerd.toml"   # some hosts lack CAP_SYS_RESOURCE
run containerd containerd -c "$k/containerd.toml"
run etcd etcd --data-dir "$k/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
cat >"$k/audit.yaml" <<AUDIT
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
AUDIT
run kube-apiserver "$bin/kube-apiserver" --feature-gates=ImageVolume=true --etcd-servers=http://127.0.0.1:2379 --secure-port="$port" --bind-address=0.0.0.0 --advertise-address="$ip" --cert-dir="$k/certs" \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$k/sa.pub" --service-account-signing-key-file="$k/sa.key" --token-auth-file="$k/tokens.csv" \
  --authorization-mode=Node,RBAC --service-cluster-ip-range=10.89.0.0/16 --allow-privileged=true --kubelet-preferred-address-types=InternalIP \
  --audit-policy-file="$k/audit.yaml" --audit-log-path="$k/log/audit.log"
for _ in $(seq 100); do [ -s "$k/certs/apiserver.crt" ] && break; sleep 0.1; done
cat >"$k/kubeconfig" <<KUBE
apiVersion: v1
kind: Config
current-context: kubeone
contexts: [{name: kubeone, context: {cluster: kubeone, user: admin}}]
clusters: [{name: kubeone, cluster: {server: "https://$ip:$port", certificate-authority: "$k/certs/apiserver.crt"}}]
users: [{name: admin, user: {token: "$(cat "$k/token")"}}]
KUBE
chmod 600 "$k/kubeconfig"; export KUBECONFIG=$k/kubeconfig
ready=; for _ in $(seq 150); do "$bin/kubectl" get --raw /readyz >/dev/null 2>&1 && ready=1 && break; sleep 0.2; done
[ "$ready" ] || { echo "kube-apiserver did not become ready; see $k/log" >&2; tail -3 "$k/log/kube-apiserver.log" >&2; exit 1; }
run kube-controller-manager "$bin/kube-controller-manager" --kubeconfig="$k/kubeconfig" --service-account-private-key-file="$k/sa.key" --root-ca-file="$k/certs/apiserver.crt" --leader-elect=false
run kube-scheduler "$bin/kube-scheduler" --kubeconfig="$k/kubeconfig" --leader-elect=false
cat >"$k/kubelet.yaml" <<KUBELET
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
featureGates: {ImageVolume: true}
failSwapOn: false
failCgroupV1: false
address: "$ip"
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: "unix://$k/containerd/containerd.sock"
enforceNodeAllocatable: []
clusterDNS: [10.89.0.10]
clusterDomain: cluster.local
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100 # no registry could bring back what a full disk makes the kubelet delete
KUBELET
if ! ctr -a "$k/containerd/containerd.sock" -n k8s.io images ls -q | grep -q pause; then
  printf '#include <unistd.h>\n#include <signal.h>\nint main(){signal(SIGTERM,_exit);signal(SIGINT,_exit);for(;;)pause();}\n' | gcc -static -O2 -xc -o "$k/pause/pause" -
  "$bin/image" -o "$k/pause.tar" -t registry.k8s.io/pause:3.6 -entrypoint /pause "/pause=$k/pause/pause"
  ctr -a "$k/containerd/containerd.sock" -n k8s.io images import "$k/pause.tar" >/dev/null
fi
run kubelet "$bin/kubelet" --config="$k/kubelet.yaml" --kubeconfig="$k/kubeconfig" --root-dir="$k/kubelet" --hostname-override=node1 --node-ip="$ip"
run kube-proxy "$bin/kube-proxy" --kubeconfig="$k/kubeconfig" --proxy-mode=iptables --hostname-override=node1 --cluster-cidr=10.88.0.0/16 --conntrack-max-per-core=0
"$bin/kubectl" wait --for=condition=Ready node/node1 --timeout=60s 2>/dev/null || { sleep 5; "$bin/kubectl" wait --for=condition=Ready node/node1 --timeout=60s; }
load() { ctr -a "$k/containerd/containerd.sock" -n k8s.io images import "$1" >/dev/null; }
if [ "$bin/coredns" -nt "$k/coredns.tar" ] || ! ctr -a "$k/containerd/containerd.sock" -n k8s.io images ls -q | grep -q seatrial/coredns:local; then
  "$bin/image" -o "$k/coredns.tar" -t docker.io/seatrial/coredns:local -entrypoint /coredns "/coredns=$bin/coredns"
  load "$k/coredns.tar"
fi
"$bin/kubectl" apply -f "$here/coredns.yaml" >/dev/null
"$bin/kubectl" -n kube-system rollout status deployment/coredns --timeout=90s >/dev/null
