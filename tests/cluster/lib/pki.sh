# shellcheck shell=bash
# The cluster's authority, certificates and kubeconfigs. Made anew at every start.

make_pki() {
  mkdir -p "$PKI"
  chmod 0700 "$PKI"
  cat >"$PKI/openssl.cnf" <<'T'
[req]
distinguished_name = name
[name]
T
  key_and_certificate ca /CN=pgherd-test basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/sa.key"
  openssl pkey -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub"

  local names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost
  server_certificate apiserver /CN=kube-apiserver "$names,IP:$NODE_IP,IP:127.0.0.1,IP:$SERVICE_IP"
  server_certificate kubelet "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_IP"
  client_certificate admin /O=system:masters/CN=admin
  client_certificate controller-manager /CN=system:kube-controller-manager
  client_certificate scheduler /CN=system:kube-scheduler
  client_certificate proxy /CN=system:kube-proxy

  local user
  for user in admin controller-manager scheduler proxy kubelet; do
    kubeconfig "$user"
  done
}

# key_and_certificate NAME SUBJECT EXTENSION...
key_and_certificate() {
  local name=$1 subject=$2 sign=() extensions=() e
  shift 2
  [[ $name == ca ]] || sign=(-CA "$PKI/ca.crt" -CAkey "$PKI/ca.key")
  for e in "$@"; do extensions+=(-addext "$e"); done
  openssl req -x509 -config "$PKI/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -keyout "$PKI/$name.key" -out "$PKI/$name.crt" -subj "$subject" ${sign[@]+"${sign[@]}"} "${extensions[@]}" 2>"$PKI/openssl.log" ||
    die "openssl could not make the certificate $name: $(tail -n 2 "$PKI/openssl.log")"
}

server_certificate() { # NAME SUBJECT NAMES
  key_and_certificate "$1" "$2" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth,clientAuth "subjectAltName=$3"
}

client_certificate() { # NAME SUBJECT
  key_and_certificate "$1" "$2" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=clientAuth
}

kubeconfig() { # USER
  local file=$PKI/$1.conf
  (umask 077 && cat >"$file") <<T
apiVersion: v1
kind: Config
clusters:
- name: pgherd-test
  cluster:
    server: https://$NODE_IP:6443
    certificate-authority-data: $(base64 -w0 <"$PKI/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 <"$PKI/$1.crt")
    client-key-data: $(base64 -w0 <"$PKI/$1.key")
contexts:
- name: pgherd-test
  context: {cluster: pgherd-test, user: $1}
current-context: pgherd-test
T
}
