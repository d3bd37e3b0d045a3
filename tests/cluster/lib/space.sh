# shellcheck shell=bash
# The space that the cluster lives in: a network namespace, a mount namespace
# and a control group. They hold everything that it starts, so what was left
# behind by any kind of death is found in them, and never by a name.

# --- control group ---------------------------------------------------------

# The hierarchies: one with cgroup v2, a directory per controller with v1.
hierarchies() {
  if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
    echo /sys/fs/cgroup
  else
    awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts
  fi
}

# The hierarchy by which processes are found: one that pods are always put in.
tracking() {
  if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
    echo "/sys/fs/cgroup/$CGROUP"
  elif [[ -d /sys/fs/cgroup/pids ]]; then
    echo "/sys/fs/cgroup/pids/$CGROUP"
  else
    unable "control groups aren't mounted at /sys/fs/cgroup."
  fi
}

# Every process of the cluster and its pods.
processes() {
  local group
  group=$(tracking)
  [[ -d $group ]] || return 0
  find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

make_group() {
  local h c
  # kubelet wants to find its root group in every hierarchy.
  hierarchies | while read -r h; do
    mkdir -p "$h/$CGROUP"
  done
  # With v2 a group has the controllers only that its parent hands down. One that
  # can't be handed down is missed by kubelet, which says so.
  if [[ -f /sys/fs/cgroup/cgroup.subtree_control ]]; then
    for c in cpu cpuset memory pids hugetlb; do
      echo "+$c" 2>/dev/null >/sys/fs/cgroup/cgroup.subtree_control || true
    done
  fi
  mkdir -p "$(tracking)/services"
}

group_is_empty() {
  [[ -z $(processes) ]]
}

remove_group() {
  local h deadline
  deadline=$(($(now) + 10000))
  while read -r h; do
    while [[ -d $h/$CGROUP ]]; do
      # A group that has just lost its last process is busy for a moment.
      find "$h/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [[ -d $h/$CGROUP ]] || break
      if (($(now) > deadline)); then die "control group $h/$CGROUP can't be removed"; fi
      breathe 0.05
    done
  done < <(hierarchies)
}

# --- network ---------------------------------------------------------------

make_network() {
  local inside=(ip -n "$NETNS")
  if command -v modprobe >/dev/null; then modprobe -qa overlay veth bridge br_netfilter || true; fi
  ip netns add "$NETNS"
  # A pod's answer to a Service's client on the same bridge must pass the rules
  # that turn the addresses back.
  # shellcheck disable=SC2016  # for the inner shell
  nsenter --net="/run/netns/$NETNS" sh -c 'f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ -e $f ] && echo 1 >$f' ||
    unable "the kernel has no br_netfilter, which Services need."
  ip link add "$WIRE" type veth peer name eth0 netns "$NETNS"
  ip addr add "$HOST_IP/30" dev "$WIRE"
  ip link set "$WIRE" up
  "${inside[@]}" addr add "$NODE_IP/30" dev eth0
  "${inside[@]}" link set eth0 up
  "${inside[@]}" link set lo up
  # The default route ends on a bridge without ports: a packet to a Service is
  # routed before it is rewritten, so there must be a route, and nothing that
  # takes it may get out. Every installation tested here is an air-gapped one.
  "${inside[@]}" link add nowhere type bridge
  "${inside[@]}" link set nowhere up
  "${inside[@]}" route add default dev nowhere src "$NODE_IP"
}

remove_network() {
  if [[ -e /run/netns/$NETNS ]]; then ip netns del "$NETNS"; fi
  # The wire goes with the namespace, but the kernel takes its time.
  if ip link show "$WIRE" >/dev/null 2>&1; then ip link del "$WIRE" 2>/dev/null || true; fi
}

# --- mounts ----------------------------------------------------------------

# The directories that services write to by default, in the cluster's own
# mount namespace only: they stand for directories in $STATE. All mounts, also
# those of pods, go with the last process.
readonly STANDARD=(/var/lib/kubelet /var/lib/cni /var/lib/containerd /var/log /run/containerd)

make_mounts() {
  local d
  mkdir -p "$RUN/ns" "${STANDARD[@]}"
  # A namespace can be held by a file only where mounts aren't passed on.
  mount --bind "$RUN/ns" "$RUN/ns"
  mount --make-private "$RUN/ns"
  : >"$MOUNTS"
  unshare --mount="$MOUNTS" --propagation private true
  for d in "${STANDARD[@]}"; do
    mkdir -p "$STATE/root$d"
    nsenter --mount="$MOUNTS" mount --bind "$STATE/root$d" "$d"
  done
  # The short way to $STATE, wherever that is.
  mkdir -p "$RUN/state" "$RUN/etcd"
  nsenter --mount="$MOUNTS" mount --bind "$STATE" "$RUN/state"
  # In memory: nobody waits for a disk, and every cluster is a new one.
  nsenter --mount="$MOUNTS" mount -t tmpfs -o size=1g,mode=0700 etcd "$RUN/etcd"
}

# A mount goes when somebody else removes the directory that it is on.
mounts_intact() {
  local pid d
  pid=$(pid_of containerd) || return 1
  for d in "${STANDARD[@]}"; do
    awk -v d="$d" '$2 == d { found = 1 } END { exit !found }' "/proc/$pid/mounts" || {
      echo "$d isn't mounted any more"
      return 1
    }
  done
}

mounts_of_run() {
  awk -v r="$RUN/" 'index($2, r) == 1 { print $2 }' /proc/mounts | sort -r
}

remove_mounts() {
  local m
  while read -r m; do
    umount -l "$m"
  done < <(mounts_of_run)
  # The empty directories that were mounted on stay: to remove one would take
  # the mount away from whoever uses it in a namespace of their own.
}

# --- settings of the kernel ------------------------------------------------

# kubelet sets these for the whole machine; they are put back at the end.
readonly KERNEL=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

save_kernel() {
  local k
  for k in "${KERNEL[@]}"; do
    echo "$k $(cat "/proc/sys/$k")"
  done >"$RUN/kernel.new"
  mv "$RUN/kernel.new" "$RUN/kernel"
}

restore_kernel() {
  local k value
  [[ -f $RUN/kernel ]] || return 0
  while read -r k value; do
    [[ $(cat "/proc/sys/$k") == "$value" ]] || echo "$value" >"/proc/sys/$k" || say "note: could not set $k back to $value"
  done <"$RUN/kernel"
}
