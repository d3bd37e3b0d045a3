# shellcheck shell=bash
# Starting and stopping processes.

# A pid file holds the number and the time of the start, since numbers are reused.
started() { # PID
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name in parentheses may hold anything; count from its end.
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  # A zombie (its parent hasn't looked yet) is no process any more.
  [[ $1 != Z && $1 != X ]] && echo "${20}"
}

pid_of() { # SERVICE
  local pid start
  [[ -f $RUN/pid/$1 ]] && read -r pid start <"$RUN/pid/$1" && [[ $(started "$pid") == "$start" ]] && echo "$pid"
}

alive() { # SERVICE
  pid_of "$1" >/dev/null
}

# start SERVICE COMMAND...: in the cluster's space, with an environment of its own:
# a proxy or a kubeconfig of the caller's has no business there.
start() {
  local service=$1 group pid
  shift
  group=$(tracking)/services
  (
    exec 9>&- </dev/null >"$STATE/log/$service.log" 2>&1
    echo "$BASHPID" >"$group/cgroup.procs"
    exec setsid nsenter --net="/run/netns/$NETNS" --mount="$MOUNTS" \
      env -i PATH="$BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root "$@"
  ) &
  pid=$!
  echo "$pid $(started "$pid")" >"$RUN/pid/$service"
}

# End everything in the control group, which is ours whatever its name. Nothing
# is asked first: the cluster's state isn't kept, and to pods it is the machine's
# power that fails.
stop_all() {
  local deadline pids
  deadline=$(($(now) + 20000))
  thaw
  # More than once: some of it may be starting more.
  until group_is_empty; do
    pids=$(processes)
    # shellcheck disable=SC2086
    [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
    if (($(now) > deadline)); then die "these processes don't end:" "$pids"; fi
    breathe 0.05
  done
}

# A frozen process (a test may freeze a pod) doesn't even die with cgroup v1.
thaw() {
  local frozen=/sys/fs/cgroup/freezer/$CGROUP
  [[ -d $frozen ]] || return 0
  find "$frozen" -name freezer.state -exec sh -c 'for f; do echo THAWED >"$f" 2>/dev/null; done' sh {} +
}

# What a cluster left, whole or in parts. Built programs, images and logs stay.
clear_away() {
  stop_all
  remove_mounts
  remove_network
  remove_group
  restore_kernel
  rm -rf --one-file-system "$RUN"
}
