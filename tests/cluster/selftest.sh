#!/usr/bin/env bash
# Does the running cluster do what the tests count on? It leaves nothing behind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
eval "$("$here/cluster" env)"
space=selftest-$$
failed=0

image() {
  awk -v name="$1" '$1 == name { print $2 }' "$here/../../manifests/images/images.txt"
}

k() { kubectl -n "$space" "$@"; }

# expect WHAT PATTERN COMMAND...: the command's output matches the pattern.
expect() {
  local what=$1 pattern=$2 got
  shift 2
  got=$("$@" 2>&1) || true
  if [[ $got =~ $pattern ]]; then
    printf '  ok   %s\n' "$what"
  else
    printf '  FAIL %s: not %s, but:\n%s\n' "$what" "$pattern" "$got" >&2
    failed=1
  fi
}

# eventually SECONDS WHAT COMMAND...
eventually() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS > deadline)); then
      printf '  FAIL %s\n' "$what" >&2
      failed=1
      return
    fi
    read -r -t 0.2 <> <(:) || true
  done
  printf '  ok   %s\n' "$what"
}

# pod NAME IMAGE USER COMMAND: with a volume, under the strictest rules that Kubernetes has.
pod() {
  k apply -f - >/dev/null <<T
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: $1}
spec: {clusterIP: None, selector: {app: $1}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: $1-once}
spec: {selector: {app: $1}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: $1, labels: {app: $1}}
spec:
  terminationGracePeriodSeconds: 1
  shareProcessNamespace: true
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}$3}
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: $1}}
  - {name: tmp, emptyDir: {}}
  containers:
  - name: main
    image: $2
    command: [bash, -ceu, '$4']
    readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: data, mountPath: /data}, {name: tmp, mountPath: /tmp}]
T
}

# One line: YAML would fold several.
postgres() { # OPTION
  echo 'initdb -D /data/pg -A trust >/dev/null; echo host all all all trust >>/data/pg/pg_hba.conf;' \
    'pg_ctl -D /data/pg -w -l /tmp/log -o "-k /tmp -c listen_addresses=* '"$1"'" start; touch /tmp/ready; sleep 600'
}
audited=$(postgres '-c shared_preload_libraries=pgaudit')
plain=$(postgres '')
write='echo mine >/data/file; touch /tmp/ready; sleep 600'

trap 'kubectl delete namespace "$space" --wait=false >/dev/null 2>&1' EXIT
kubectl create namespace "$space" >/dev/null
kubectl label namespace "$space" pod-security.kubernetes.io/enforce=restricted >/dev/null
eventually 10 "namespace has its account" k get serviceaccount default

pod whole "$(image postgres)" "" "$audited"
pod plain "$(image postgres-plain)" "" "$plain"
pod elsewhere "$(image postgres-elsewhere)" "" "$audited"
pod nobody "$(image postgres-uid)" "" "$write"
pod other "$(image postgres)" ", runAsUser: 26, runAsGroup: 26, fsGroup: 26" "$write"
for p in whole plain elsewhere nobody other; do
  eventually 60 "pod $p is ready" k wait --for=condition=Ready "pod/$p" --timeout=1s
done

expect "DNS, a Service" '^1$' k exec nobody -- psql -h whole-once -U postgres -Atc 'select 1'
expect "DNS, a headless Service" '^1$' k exec nobody -- psql -h "whole.$space.svc.cluster.local" -U postgres -Atc 'select 1'
expect "the API server from a pod" '"minor": "[0-9]+' k exec whole -- curl -ksS https://kubernetes.default/version
expect "no name outside is known" '^2$' k exec whole -- bash -c 'getent hosts deb.debian.org; echo $?'
expect "no way out" 'unreachable|timed out|124' k exec whole -- bash -c 'timeout 2 bash -c "echo >/dev/tcp/1.1.1.1/53"; echo $?'
expect "pgaudit" '^CREATE EXTENSION$' k exec whole -- psql -h /tmp -d postgres -c 'create extension pgaudit'
expect "no pgaudit in the plain image" 'extension "pgaudit" is not available' k exec plain -- psql -h /tmp -d postgres -c 'create extension pgaudit'
expect "programs elsewhere" '^/opt/database/bin/postgres$' k exec elsewhere -- bash -c 'type -p postgres'
expect "pgaudit elsewhere" '^CREATE EXTENSION$' k exec elsewhere -- psql -h /tmp -d postgres -c 'create extension pgaudit'
expect "a user without a name" '^4321.mine$' k exec nobody -- bash -c 'id -u | paste - /data/file'
expect "Patroni knows Kubernetes" '^ok$' k exec whole -- python3 -c 'import patroni.dcs.kubernetes; print("ok")'
# The same connection, twice: as it is, and with a policy in the way.
# shellcheck disable=SC2317,SC2329  # called by name, through eventually
reach() { k exec nobody -- bash -c 'timeout 3 psql -h whole-once -U postgres -Atc "select 1" 2>&1; echo "=$?"'; }
# shellcheck disable=SC2317,SC2329
reaches() { [[ $(reach) == *=0 ]]; }
# shellcheck disable=SC2317,SC2329
reaches_not() { [[ $(reach) == *=124 ]]; }
deny() { # NAME POD TYPE
  k apply -f - >/dev/null <<T
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: $1}
spec: {podSelector: {matchLabels: {app: $2}}, policyTypes: [$3]}
T
}
deny in whole Ingress
eventually 10 "a policy keeps traffic from coming in" reaches_not
expect "nobody else is kept from anything" '^1$' k exec other -- psql -h plain-once -U postgres -Atc 'select 1'
k delete networkpolicy in >/dev/null
eventually 10 "without it traffic comes in again" reaches
deny out nobody Egress
eventually 10 "a policy keeps traffic from going out" reaches_not
k apply -f - >/dev/null <<T
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow}
spec:
  podSelector: {matchLabels: {app: nobody}}
  policyTypes: [Egress]
  egress:
  - {to: [{podSelector: {matchLabels: {app: whole}}}], ports: [{port: 5432}]}
  - {ports: [{port: 53, protocol: UDP}]}
T
eventually 10 "what another policy allows goes out, also to a Service" reaches
expect "and nothing else does" '=124' k exec nobody -- bash -c 'timeout 2 psql -h plain-once -U postgres -Atc "select 1"; echo "=$?"'
k delete networkpolicy out allow >/dev/null
deny early early Egress
k run early --labels=app=early --restart=Never --image="$(image busybox)" --overrides='{"spec": {"securityContext":
  {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}, "containers": [{"name": "early",
  "image": "'"$(image busybox)"'", "command": ["nc", "-w", "2", "'"$(k get service whole-once -o jsonpath='{.spec.clusterIP}')"'", "5432"],
  "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}' >/dev/null
eventually 20 "a pod that is denied everything ends" k wait --for=jsonpath='{.status.phase}'=Failed pod/early --timeout=1s
expect "it got out at no moment" 'timed out' k logs early

for tool in patroni patronictl pgbackrest pgbouncer pg_rewind pg_basebackup pg_controldata pkill awk curl; do
  k exec whole -- bash -c "type -p $tool" >/dev/null || expect "$tool in the image" . false
done
expect "logs" 'server started' k logs whole

volumes=$(kubectl get pv -o jsonpath="{.items[?(@.spec.claimRef.namespace==\"$space\")].spec.hostPath.path}")
kubectl delete namespace "$space" --wait=false >/dev/null
for v in $volumes; do
  eventually 60 "volume $(basename "$v") is gone" test ! -e "$v"
done
exit "$failed"
