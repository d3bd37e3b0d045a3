# What is in force is noted in a file, so that others can see whether a change has arrived.
in_force=/tmp/.certificates-in-force
certificates() { cat /pgconf/tls/*.* /pgconf/tls/replication/* '/pgconf/patroni/~postgres-operator/'* 2>/dev/null | cksum; }
