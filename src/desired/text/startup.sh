# Prepares an instance before its database container starts. Runs again whenever the pod starts, and has to find its way
# from wherever the last run was interrupted.
fail() { printf '%s\n' "$*" >&2; exit 1; }

missing=''
for program in postgres initdb pg_controldata pg_ctl pg_rewind pg_basebackup psql patroni; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "$missing" ] || fail "the image lacks$missing; PATH is $PATH"

version=$(postgres --version)
case "$version" in
  *" $PG_MAJOR."* | *" $PG_MAJOR"[a-z]*) ;;
  *) fail "spec.postgresVersion is $PG_MAJOR but the image has: $version" ;;
esac

# PostgreSQL, libpq and peer authentication look up the name of the user they run as, which in most clusters is a number
# that the image has never heard of. The database container sees these files as its own /etc/passwd and /etc/group.
uid=$(id -u)
gid=$(id -g)
account() { # FILE ID LINE
  while IFS= read -r line || [ -n "$line" ]; do
    case "$line" in postgres:* | *:*:"$2":*) ;; *) printf '%s\n' "$line" ;; esac
  done <"$1"
  printf '%s\n' "$3"
}
account /etc/passwd "$uid" "postgres:x:$uid:$gid:PostgreSQL:/tmp:/bin/sh" >/identity/passwd
account /etc/group "$gid" "postgres:x:$gid:" >/identity/group

mkdir -p /tmp/postgres

# Patroni reads every file of one directory. Symbolic links into the mounted ConfigMaps keep it current when those
# change. An image without the audit library gets one file more, which takes that library out of the list.
for file in /pgconf/patroni/*.yaml; do
  case "$file" in
    *-without-pgaudit.yaml) ;;
    *) ln -sfn "$file" "/etc/patroni/${file##*/}" ;;
  esac
done
bin=$(dirname "$(readlink -f "$(command -v postgres)")")
audit=''
for directory in "$(pg_config --pkglibdir 2>/dev/null || :)" "$bin/../lib" "$bin/../lib/postgresql" "$bin/../lib64"; do
  if [ -n "$directory" ] && [ -e "$directory/pgaudit.so" ]; then audit=yes; fi
done
if [ -z "$audit" ]; then
  ln -sfn '/pgconf/patroni/~postgres-operator_without-pgaudit.yaml' '/etc/patroni/~postgres-operator_without-pgaudit.yaml'
  printf 'the image has no pgaudit library: statements are not audited\n'
else
  rm -f '/etc/patroni/~postgres-operator_without-pgaudit.yaml'
fi

for directory in "$(dirname "$PGDATA")" "$(dirname "$PGWAL")"; do
  [ -w "$directory" ] || fail "user $uid of groups $(id -G) can't write to $directory:" \
    "$(ls -ldn "$directory"). The storage class has to honour fsGroup or give volumes that anyone can write to"
done

# PostgreSQL wants a directory of its own, which the root of a volume is not.
for volume in /tablespaces/*; do
  [ -d "$volume" ] || continue
  { mkdir -p "$volume/data" && chmod 700 "$volume/data"; } ||
    fail "user $uid of groups $(id -G) can't make a directory in $volume: $(ls -ldn "$volume")"
done

# A volume that was there before its cluster: its directories get the names that ours have. The log comes first, since a data
# directory in its place says that all of it is done.
if [ -n "${ADOPTED_DATA:-}" ] && [ ! -e "$PGDATA" ]; then
  adopted=$(dirname "$PGDATA")/$ADOPTED_DATA
  [ -s "$adopted/PG_VERSION" ] || fail "there is no data directory at $adopted: $(ls -A "$(dirname "$PGDATA")")"
  if [ -n "${ADOPTED_LOG:-}" ] && [ ! -e "$PGWAL" ]; then
    log=$(dirname "$PGWAL")/$ADOPTED_LOG
    [ -d "$log" ] || fail "there is no directory $log for the log: $(ls -A "$(dirname "$PGWAL")")"
    mv "$log" "$PGWAL"
  fi
  # Nobody runs in it, whatever the file says: the volume is mounted here.
  rm -f "$adopted/postmaster.pid"
  mv "$adopted" "$PGDATA"
  chmod 700 "$PGDATA"
  sync
fi

if [ -s "$PGDATA/PG_VERSION" ]; then
  found=$(cat "$PGDATA/PG_VERSION")
  [ "$found" = "$PG_MAJOR" ] || fail "the data directory is of PostgreSQL $found, spec.postgresVersion is $PG_MAJOR"
  # A volume that was mounted with another group may have come back writable for it; PostgreSQL refuses that.
  chmod go-w "$PGDATA" || fail "user $uid does not own $PGDATA: $(ls -ldn "$PGDATA")"

  # Move the write-ahead log to where it belongs. The old copy goes only when the new one is whole and in use.
  if [ -e "$PGDATA/pg_wal" ]; then
    current=$(readlink -f "$PGDATA/pg_wal")
    if [ "$current" != "$PGWAL" ]; then
      if [ ! -e "$PGWAL" ]; then
        rm -rf "$PGWAL.partial"
        cp -a "$current" "$PGWAL.partial"
        sync
        mv "$PGWAL.partial" "$PGWAL"
      fi
      if [ "$current" = "$PGDATA/pg_wal" ]; then mv "$PGDATA/pg_wal" "$PGDATA/pg_wal.moved"; fi
      ln -sfn "$PGWAL" "$PGDATA/pg_wal"
      sync
      if [ "$current" = "$PGDATA/pg_wal" ]; then rm -rf "$PGDATA/pg_wal.moved"; else rm -rf "$current"; fi
    fi
  elif [ -d "$PGWAL" ]; then
    # Interrupted between the two steps above.
    ln -sfn "$PGWAL" "$PGDATA/pg_wal"
    rm -rf "$PGDATA/pg_wal.moved"
  fi
else
  # initdb and pg_basebackup want an empty or absent directory for the log; one without a data directory is of no use.
  if [ -d "$PGWAL" ] && [ ! -e "$PGDATA" ]; then rm -rf "$PGWAL"; fi
fi
printf 'ready: %s as user %s\n' "$version" "$uid"
