# shellcheck shell=bash
# What each verb does.

# Two of these at a time would undo each other's work. The lock goes with the
# process that holds it, however that ends.
lock() {
  exec 9>"$LOCK"
  flock -n 9 && return
  say "waiting for another run of this script to finish"
  flock 9
}

# The names in the kernel are the same for everybody on this machine.
check_owner() {
  local owner
  if [[ -f $RUN/owner ]] && owner=$(<"$RUN/owner") && [[ $owner != "$DIR" ]] && ! group_is_empty; then
    die "another test cluster is up on this machine; its files are in $owner." \
      "Stop it with: PGHERD_CLUSTER_DIR=$owner $HERE/cluster down"
  fi
}

do_build() {
  install_packages
  mkdir -p "$DIR"
  build_programs
  build_images
  if [[ -n ${PGHERD_BINARY:-} ]]; then build_pgherd "$PGHERD_BINARY"; fi
}

do_up() {
  local begin sick
  begin=$(now)
  check_owner
  do_build
  if sick=$(healthy 2>&1); then
    load_all
    say "the cluster is up"
    return
  fi
  if [[ -d $RUN ]]; then
    say "not healthy, starting afresh: $(head -n 1 <<<"$sick")"
  fi
  clear_away
  fresh
  say "the cluster is up after $(since "$begin"): eval \"\$($HERE/cluster env)\""
}

# Start on an empty field.
fresh() {
  # The logs of the last run may explain why there is a next one.
  rm -rf "$DIR/last-log"
  if [[ -d $STATE/log ]]; then mv "$STATE/log" "$DIR/last-log"; fi
  rm -rf --one-file-system "$STATE"
  mkdir -p "$STATE/log" "$RUN/pid"
  printf '%s\n' "$DIR" >"$RUN/owner"
  save_kernel
  make_group
  make_network
  make_mounts
  make_pki
  write_config
  start_services
  cp "$PKI/admin.conf" "$DIR/.admin.conf"
  mv "$DIR/.admin.conf" "$DIR/admin.conf"
  : >"$RUN/complete"
}

do_down() {
  check_owner
  step "stopped" clear_away
}

do_wipe() {
  # One that was started from other files isn't ours to stop.
  if [[ ! -f $RUN/owner || $(<"$RUN/owner") == "$DIR" ]]; then do_down; fi
  rm -rf --one-file-system "$STATE" "$DIR/last-log" "$DIR/admin.conf" "$DIR/staging"
  [[ ${1:-} != --all ]] || rm -rf --one-file-system "$DIR"
}

do_load_images() {
  local binary=${1:-${PGHERD_BINARY:-}}
  check_owner
  alive containerd || die "the cluster isn't up: $HERE/cluster up"
  build_programs
  build_images
  if [[ -n $binary ]]; then build_pgherd "$binary" "${2:-}"; fi
  load_all
}

do_status() {
  local service pid kb bad=0
  for service in "${SERVICES[@]}"; do
    if pid=$(pid_of "$service"); then
      kb=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
      printf '%-26s running   pid %-8s %4d MiB   %s\n' "$service" "$pid" $((kb / 1024)) "$STATE/log/$service.log"
    else
      printf '%-26s stopped\n' "$service"
      bad=1
    fi
  done
  if ((bad == 0)); then
    local what
    for what in api_ready:API proxy_ready:Services policies_ready:policies dns_ready:DNS node_ready:node; do
      if "${what%%:*}" >/dev/null 2>&1; then
        printf '%-26s ready\n' "${what##*:}"
      else
        printf '%-26s not ready\n' "${what##*:}"
        bad=1
      fi
    done
    ctr_k8s images ls | awk 'NR > 1 && $1 !~ /^sha256:/ { printf "image %-40s %s %s\n", $1, $4, $5 }'
  fi
  return "$bad"
}

do_env() {
  printf 'export KUBECONFIG=%q\n' "$DIR/admin.conf"
  # shellcheck disable=SC2016  # $PATH is for the shell that reads this
  printf 'export PATH=%q:$PATH\n' "$BIN"
  if [[ -n ${HTTPS_PROXY:-}${https_proxy:-}${ALL_PROXY:-}${all_proxy:-} ]]; then
    printf 'export NO_PROXY=%q\n' "${NO_PROXY:+$NO_PROXY,}$NODE_IP"
  fi
}

# --- faults ------------------------------------------------------------------

# A service that hangs, and goes on later as if nothing had been.
do_pause() { signal STOP "$@"; }
do_resume() { signal CONT "$@"; }

signal() { # SIGNAL SERVICE
  local pid
  pid=$(pid_of "${2:-}") || die "no service named ${2:-} runs; services are: ${SERVICES[*]}"
  kill -"$1" "$pid"
}

# A pod that can't reach the API server any more. Everybody else can.
do_cut_off() {
  is_cut_off "$@" || unreachable -I "$1"
}
do_rejoin() {
  ! is_cut_off "$@" || unreachable -D "$1"
}

is_cut_off() { # ADDRESS: whether it is cut off
  [[ ${1:-} =~ ^[0-9.]+$ ]] || die "the address of a pod is missing."
  unreachable -C "$1" 2>/dev/null
}

unreachable() { # -C|-I|-D ADDRESS
  nsenter --net="/run/netns/$NETNS" iptables -w "$1" INPUT -s "$2" -p tcp --dport 6443 -j DROP
}
