# Until a new instance has a database, initdb or the copying of another instance can be cut short. Patroni would take what
# initdb leaves for a database, or wait for ever beside half a copy. So a file says that there has never been one: it is made
# while there is no data, and taken away before a new database gets its first client (text/patroni.rs).
unborn=$PGDATA.unborn
if [ -e "$unborn" ] && [ -n "$(ls -A "$PGDATA" 2>/dev/null)" ]; then
  if [ -e "$PGDATA/backup_manifest" ] || [ -e "$PGDATA/backup_label.old" ]; then
    # A whole copy: pg_basebackup writes the list of files last, and the label gets its other name in use.
    rm -f "$unborn"
  elif [ -e "$PGDATA/backup_label" ]; then
    printf 'a copy of another instance was cut short; removing what there is of it\n'
    rm -rf "$PGDATA" "$PGWAL"
  else
    # Not removed, since nothing that looks like a database ever is.
    printf 'initdb was cut short; keeping what it made as %s.interrupted\n' "$PGDATA"
    for directory in "$PGDATA" "$PGWAL"; do
      rm -rf "$directory.interrupted"
      if [ -e "$directory" ]; then mv "$directory" "$directory.interrupted"; fi
    done
  fi
fi
if [ -z "$(ls -A "$PGDATA" 2>/dev/null)" ]; then : >"$unborn"; fi
