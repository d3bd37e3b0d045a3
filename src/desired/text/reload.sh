# Certificates are renewed in their files, and nothing tells a container of that; the kubelet itself looks once a minute.
# Patroni is what this shell becomes.
seen=$(certificates)
printf '%s\n' "$seen" >"$in_force"
(
  while sleep 10; do
    now=$(certificates)
    if [ "$now" != "$seen" ]; then
      seen=$now
      kill -HUP "$$" || :
      if server=$(head -n 1 "$PGDATA/postmaster.pid" 2>/dev/null); then kill -HUP "$server" || :; fi
      printf '%s\n' "$seen" >"$in_force"
    fi
  done
) &
