# shellcheck shell=bash
# Messages, time, and waiting for a condition.

say() {
  [[ -n ${quiet:-} ]] || printf '%s\n' "$*" >&2
}

# die MESSAGE...: something went wrong.
die() {
  printf 'cluster: %s\n' "$@" >&2
  exit 1
}

# unable MESSAGE...: this machine can't run the cluster, and that is nobody's mistake.
unable() {
  printf 'cluster: %s\n' "$@" >&2
  printf '%s\n' "A cluster of your own does as well: make demo CONTEXT=<its context in your kubeconfig>" >&2
  exit 2
}

# now: milliseconds since some moment.
now() {
  local t=${EPOCHREALTIME/[.,]/}
  echo "${t:0:-3}"
}

since() { # MILLISECONDS
  local ms=$(($(now) - $1))
  printf '%d.%ds' $((ms / 1000)) $((ms % 1000 / 100))
}

# step WHAT COMMAND...: run a long step, then say how long it took.
# Called plainly, never as a condition, so that `set -e` holds inside.
step() {
  local what=$1 start
  shift
  start=$(now)
  "$@"
  say "$(printf '%-58s %6s' "$what" "$(since "$start")")"
}

# wait_for SECONDS WHAT SERVICE COMMAND...: poll until the command succeeds.
# Gives up when the time is over or the service has died, and shows the end of its log.
wait_for() {
  local seconds=$1 what=$2 service=$3 deadline
  shift 3
  deadline=$(($(now) + seconds * 1000))
  until "$@" >"$RUN/wait" 2>&1; do
    if ! alive "$service"; then
      printf 'cluster: %s has died while waiting for: %s. The end of %s:\n' "$service" "$what" "$STATE/log/$service.log" >&2
      tail -n 15 "$STATE/log/$service.log" >&2
      exit 1
    fi
    if (($(now) > deadline)); then
      printf 'cluster: not seen within %s s: %s. What was seen last:\n' "$seconds" "$what" >&2
      tail -n 5 "$RUN/wait" >&2
      printf 'The end of %s:\n' "$STATE/log/$service.log" >&2
      tail -n 15 "$STATE/log/$service.log" >&2
      exit 1
    fi
    breathe 0.1
  done
}

# breathe SECONDS: between two looks at a condition, without a new process.
breathe() {
  local fd
  exec {fd}<> <(:)
  read -r -t "$1" -u "$fd" || true
  exec {fd}>&-
}
