#!/usr/bin/env bash
# The floor that the platform's installation is measured against: the same cluster as a person with kubeadm would script
# it over ssh, from the same artifacts, as fast as such a script can be. It checks nothing, repairs nothing and cannot run
# twice; there is no load balancer, encryption of Secrets, audit log or admission configuration in it.
#
# CONTROL_PLANES and WORKERS are lists of name=address. FILES is a directory made by bench_floor.py: ssh_config, and what
# every host gets (host/). Prints a line for each step: seconds since the start, step.
set -euo pipefail
: "${CONTROL_PLANES:?}" "${WORKERS?}" "${FILES:?}" "${KUBERNETES_VERSION:?}" "${COREDNS_TAG:?}" "${API_NAME:?}"

read -ra control_planes <<<"$CONTROL_PLANES"
read -ra workers <<<"$WORKERS"
first=${control_planes[0]#*=}
started=$EPOCHREALTIME

done_with() {
  echo "$EPOCHREALTIME $started" | awk -v step="$1" '{ printf "floor: %.1f %s\n", $1 - $2, step }'
}

on() {
  ssh -F "$FILES/ssh_config" "$@"
}

hang_up() {
  local host
  for host in "${control_planes[@]}" "${workers[@]}"; do
    on -O exit "${host#*=}" 2>/dev/null || true
  done
}
trap hang_up EXIT

# Waits for each process by its number: a bare `wait` forgets how they ended.
all() {
  local process
  for process in "$@"; do
    wait "$process"
  done
}

prepare() { # address
  tar -C "$FILES/host" -c . | on "$1" 'mkdir -m 700 /root/floor && tar -C /root/floor -x'
  on "$1" "sh /root/floor/bench_floor_host.sh $API_NAME $first"
}

# Checks that do not fit hosts in containers: cgroup v1, and no bridge-nf in a network namespace.
ignored='[SystemVerification, FileContent--proc-sys-net-bridge-bridge-nf-call-iptables]'
token=$(openssl rand -hex 3).$(openssl rand -hex 8)
certificate_key=$(openssl rand -hex 32)

init() {
  cat <<EOF | on "$first" 'umask 077; cat >/root/floor/init.yaml; kubeadm init --config /root/floor/init.yaml \
    --upload-certs --skip-token-print --skip-certificate-key-print >/root/floor/init.log'
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{token: $token}]
certificateKey: $certificate_key
nodeRegistration:
  name: ${control_planes[0]%%=*}
  ignorePreflightErrors: $ignored
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: $KUBERNETES_VERSION
controlPlaneEndpoint: $API_NAME:6443
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
dns: {imageTag: $COREDNS_TAG}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
failCgroupV1: false
# All lab hosts share one disk.
evictionHard: {memory.available: 100Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
imageGCHighThresholdPercent: 100
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
# nf_conntrack_max belongs to the machine.
conntrack: {maxPerCore: 0, min: 0}
EOF
}

join() { # name=address, then more lines for a control plane
  cat <<EOF | on "${1#*=}" 'umask 077; cat >/root/floor/join.yaml; kubeadm join --config /root/floor/join.yaml >/root/floor/join.log'
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: {apiServerEndpoint: "$API_NAME:6443", token: $token, caCertHashes: ["sha256:$ca_hash"]}
nodeRegistration:
  name: ${1%%=*}
  ignorePreflightErrors: $ignored
${2:-}
EOF
}

jobs=()
for host in "${control_planes[@]}" "${workers[@]}"; do
  prepare "${host#*=}" &
  jobs+=($!)
done
all "${jobs[@]}"
done_with 'hosts prepared'

init
done_with 'first control plane initialised'

on "$first" 'kubectl --kubeconfig /etc/kubernetes/admin.conf apply --filename /root/floor/calico.yaml >/dev/null'
done_with 'Calico applied'

ca_hash=$(on "$first" 'openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt |
  openssl pkey -pubin -outform der | sha256sum | cut -d " " -f 1')
jobs=()
for host in "${workers[@]}"; do
  join "$host" &
  jobs+=($!)
done
for host in "${control_planes[@]:1}"; do
  join "$host" "controlPlane: {certificateKey: $certificate_key, localAPIEndpoint: {advertiseAddress: ${host#*=}}}"
done
all "${jobs[@]}"
done_with 'all joined'

on "$first" 'export KUBECONFIG=/etc/kubernetes/admin.conf
  kubectl wait --for condition=Ready --timeout 300s node --all >/dev/null'
done_with 'nodes Ready'

on "$first" 'export KUBECONFIG=/etc/kubernetes/admin.conf
  for workload in daemonset/calico-node deployment/calico-kube-controllers deployment/coredns; do
    kubectl --namespace kube-system rollout status --timeout 300s "$workload" >/dev/null
  done'
done_with 'Calico and CoreDNS available'
