# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the other files
# Names, places, addresses, versions: everything that could be chosen otherwise.

readonly KUBERNETES=1.34.4 # the same as in go/kubernetes/go.mod, see check.sh

# Several clusters run beside each other when each has a number, up to 63, and a directory of its own.
readonly NUMBER=${PGHERD_CLUSTER_NUMBER:-0}
if [[ ! $NUMBER =~ ^[0-9]+$ ]] || ((NUMBER >= 64)); then unable "PGHERD_CLUSTER_NUMBER must be 0 to 63, not $NUMBER."; fi
if ((NUMBER)); then BESIDE=-$NUMBER; else BESIDE=; fi
readonly BESIDE

# What is kept: built programs, images, the state and the logs of the cluster.
readonly DIR=${PGHERD_CLUSTER_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pgherd/cluster$BESIDE}
readonly BIN=$DIR/bin LAYOUT=$DIR/images STATE=$DIR/state

# What belongs to one start. Below /run, because the path of a Unix socket has
# room for 107 characters only and $DIR may be long.
readonly RUN=/run/pgherd-cluster$BESIDE
readonly LOCK=/run/pgherd-cluster$BESIDE.lock
readonly MOUNTS=$RUN/ns/mounts # the mount namespace
readonly SOCKET=$RUN/containerd.sock

# The network namespace, its address, and the host's end of the only wire into it.
readonly NETNS=pgherd-test$BESIDE
readonly WIRE=pgherd-host$BESIDE
readonly HOST_IP=10.213.$NUMBER.1 NODE_IP=10.213.$NUMBER.2
readonly POD_RANGE=10.214.0.0/24
readonly SERVICE_RANGE=10.215.0.0/16 SERVICE_IP=10.215.0.1

# Part of what images are remembered by: raise it when the way they are written
# changes, and all are made again.
readonly FORMAT=1

readonly NODE=node1
readonly CGROUP=pgherd-test$BESIDE # the control group of everything that runs
readonly PKI=$STATE/pki CONFIG=$STATE/config

# In the order in which they start; `down` goes the other way.
readonly SERVICES=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler network-policies kubelet kube-proxy coredns local-path-provisioner)
