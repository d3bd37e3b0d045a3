# What is in force is noted in a file, so that others can see whether a change has arrived.
# shellcheck disable=SC2034 # The scripts around this one use it.
in_force=/tmp/.certificates-in-force
certificates() { cat /pgconf/tls/*.* /pgconf/tls/replication/* '/pgconf/patroni/~postgres-operator/'* 2>/dev/null | cksum; }
