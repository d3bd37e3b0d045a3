# shellcheck shell=bash
# The services: their configuration, their flags, and when each is ready.

# Paths as the services see them.
readonly INNER=$RUN/state
readonly INNER_PKI=$INNER/pki INNER_CONFIG=$INNER/config

# Admission, auditing and the like go here.
apiserver_flags=(
  --etcd-servers=http://127.0.0.1:2379
  --bind-address="$NODE_IP"
  --advertise-address="$NODE_IP"
  --tls-cert-file="$INNER_PKI/apiserver.crt"
  --tls-private-key-file="$INNER_PKI/apiserver.key"
  --client-ca-file="$INNER_PKI/ca.crt"
  --kubelet-client-certificate="$INNER_PKI/admin.crt"
  --kubelet-client-key="$INNER_PKI/admin.key"
  # Logs, exec and port-forward would look for the node by name.
  --kubelet-preferred-address-types=InternalIP
  --service-account-key-file="$INNER_PKI/sa.pub"
  --service-account-signing-key-file="$INNER_PKI/sa.key"
  --service-account-issuer=https://kubernetes.default.svc.cluster.local
  --service-cluster-ip-range="$SERVICE_RANGE"
  --authorization-mode="Node,RBAC"
  --enable-admission-plugins=NodeRestriction
  --allow-privileged
  --profiling=false
)

controller_manager_flags=(
  --kubeconfig="$INNER_PKI/controller-manager.conf"
  --root-ca-file="$INNER_PKI/ca.crt"
  --service-account-private-key-file="$INNER_PKI/sa.key"
  --cluster-signing-cert-file="$INNER_PKI/ca.crt"
  --cluster-signing-key-file="$INNER_PKI/ca.key"
  --use-service-account-credentials
  --leader-elect=false
  --bind-address=127.0.0.1
  --kube-api-qps=500
  --kube-api-burst=1000
  --profiling=false
)

scheduler_flags=(
  --kubeconfig="$INNER_PKI/scheduler.conf"
  --leader-elect=false
  --bind-address=127.0.0.1
  --kube-api-qps=500
  --kube-api-burst=1000
  --profiling=false
)

kubelet_flags=(
  --kubeconfig="$INNER_PKI/kubelet.conf"
  --config="$INNER_CONFIG/kubelet.yaml"
  --hostname-override="$NODE"
  --node-ip="$NODE_IP"
)

proxy_flags=(
  --kubeconfig="$INNER_PKI/proxy.conf"
  --hostname-override="$NODE"
  --proxy-mode=iptables
  --cluster-cidr="$POD_RANGE"
  --healthz-bind-address="$NODE_IP:10256"
  --metrics-bind-address=127.0.0.1:10249
  # The machine's connection tracking stays as it is.
  --conntrack-max-per-core=0
  --conntrack-tcp-timeout-established=0
  --conntrack-tcp-timeout-close-wait=0
)

policies_flags=(
  --kubeconfig="$INNER_PKI/admin.conf"
  --bind-address="$NODE_IP:10258"
)

etcd_flags=(
  --data-dir="$RUN/etcd/data"
  --listen-client-urls=http://127.0.0.1:2379
  --advertise-client-urls=http://127.0.0.1:2379
  --listen-peer-urls=http://127.0.0.1:2380
)

local_path_flags=(
  start
  --config="$INNER_CONFIG/local-path.json"
  --kubeconfig="$INNER_PKI/admin.conf"
  --namespace=local-path-storage
  --configmap-name=local-path-config
  --helper-pod-file="$INNER_CONFIG/helper-pod.yaml"
)

# render FILE TO: fill the places in a file of config/.
render() {
  local text name value
  text=$(<"$HERE/config/$1")
  for name in SOCKET PAUSE BUSYBOX CNI CONFIG PKI CGROUP NODE_IP POD_RANGE VOLUMES; do
    case $name in
      PAUSE) value=$(reference pause) ;;
      BUSYBOX) value=$(reference busybox) ;;
      CNI) value=$INNER_CONFIG/cni-bin ;;
      CONFIG) value=$INNER_CONFIG ;;
      PKI) value=$INNER_PKI ;;
      # Not the inner path: tests look at volumes from the host.
      VOLUMES) value=$STATE/volumes ;;
      *) value=${!name} ;;
    esac
    text=${text//@$name@/$value}
  done
  printf '%s\n' "$text" >"$2"
}

write_config() {
  mkdir -p "$CONFIG/cni" "$CONFIG/cni-bin" "$STATE/volumes"
  ln -s "$(cni_plugins)"/* "$BIN/network-policies" "$CONFIG/cni-bin/"
  local f
  for f in containerd.toml kubelet.yaml Corefile helper-pod.yaml local-path.json; do
    render "$f" "$CONFIG/$f"
  done
  render cni.conflist "$CONFIG/cni/10-pods.conflist"
}

kc() {
  # No proxy, whatever the caller's environment says.
  env -u HTTPS_PROXY -u https_proxy -u ALL_PROXY -u all_proxy KUBECONFIG="$PKI/admin.conf" "$BIN/kubectl" --request-timeout=5s "$@"
}

# http_ok PORT PATH: does a service in the network namespace answer with 200?
http_ok() {
  local fd line
  exec {fd}<>"/dev/tcp/$NODE_IP/$1" || return 1
  printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&"$fd"
  read -r -t 2 line <&"$fd" || line=
  exec {fd}>&-
  [[ $line == *' 200 '* ]] || {
    echo "http://$NODE_IP:$1$2: ${line:-no answer}"
    return 1
  }
}

api_ready() { kc get --raw=/readyz; }
containerd_ready() { ctr_k8s version; }
proxy_ready() { http_ok 10256 /healthz; }
policies_ready() { http_ok 10258 /healthz; }
dns_ready() { http_ok 8181 /ready; }

node_ready() {
  local got
  got=$(kc get node "$NODE" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}') || return 1
  [[ $got == True* ]] || {
    echo "node $NODE isn't ready: $got"
    return 1
  }
}

# Pods are refused until their namespace has this account.
account_ready() { kc -n default get serviceaccount default -o name; }

start_services() {
  start etcd etcd "${etcd_flags[@]}"
  start containerd containerd --config "$INNER_CONFIG/containerd.toml"
  start kube-apiserver "$BIN/kube-apiserver" "${apiserver_flags[@]}"
  wait_for 30 "containerd answers" containerd containerd_ready
  load_all &
  local loading=$!
  wait_for 60 "the API server is ready" kube-apiserver api_ready
  start kube-controller-manager "$BIN/kube-controller-manager" "${controller_manager_flags[@]}"
  start kube-scheduler "$BIN/kube-scheduler" "${scheduler_flags[@]}"
  start network-policies "$BIN/network-policies" "${policies_flags[@]}"
  start kubelet "$BIN/kubelet" "${kubelet_flags[@]}"
  start kube-proxy "$BIN/kube-proxy" "${proxy_flags[@]}"
  start coredns "$BIN/coredns" -conf "$INNER_CONFIG/Corefile"
  kc apply --server-side --validate=false -f "$HERE/config/storage.yaml" >"$RUN/wait" 2>&1 ||
    die "the StorageClass could not be applied: $(<"$RUN/wait")"
  start local-path-provisioner "$BIN/local-path-provisioner" "${local_path_flags[@]}"
  wait_for 60 "the node is ready" kubelet node_ready
  wait_for 60 "namespace default has its service account" kube-controller-manager account_ready
  wait_for 60 "Services are routed" kube-proxy proxy_ready
  wait_for 60 "NetworkPolicies are enforced" network-policies policies_ready
  wait_for 60 "DNS answers" coredns dns_ready
  wait "$loading" || die "images could not be loaded"
}

# Everything runs and answers. Says on stdout what doesn't.
healthy() {
  local service ok=0
  [[ -f $RUN/complete ]] || {
    echo "the last start didn't get to its end"
    return 1
  }
  for service in "${SERVICES[@]}"; do
    alive "$service" || {
      echo "$service isn't running"
      ok=1
    }
  done
  ((ok == 0)) && mounts_intact && containerd_ready >/dev/null && proxy_ready && policies_ready && dns_ready && node_ready
}
