# Put the programs of PostgreSQL on PATH where the image has not done so: Debian's, the PGDG's and a source build's places.
if ! command -v postgres >/dev/null 2>&1; then
  for directory in "/usr/lib/postgresql/$PG_MAJOR/bin" "/usr/pgsql-$PG_MAJOR/bin" /usr/local/pgsql/bin \
    /opt/*/bin /opt/*/*/bin; do
    if [ -x "$directory/postgres" ]; then PATH="$directory:$PATH" && export PATH && break; fi
  done
fi
