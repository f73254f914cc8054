#!/bin/sh
# What every host needs before kubeadm; part of bench_floor.sh, which puts it into /root/floor with these beside it:
# downloads.curl (every file: where it comes from, where it goes), registry-ca.crt, settings.
# Arguments: name of the API, address of the first control plane, which the name leads to.
set -eu
cd /root/floor
. ./settings # REGISTRY, AUTHORIZATION, PAUSE_IMAGE

swapoff -a
for module in overlay br_netfilter nf_conntrack; do
  modprobe "$module" 2>/dev/null || true # built in, or not needed by this kernel
done
mount --make-rshared /
sysctl -q -w net.ipv4.ip_forward=1
echo "$2 $1" >>/etc/hosts

curl --parallel --fail --silent --show-error --create-dirs --config downloads.curl
chmod 0755 /usr/local/bin/* /opt/cni/bin/*

mkdir -p /etc/containerd /etc/kubernetes/manifests
cat >/etc/containerd/config.toml <<EOF
version = 3
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  discard_unpacked_layers = true
  use_local_image_pull = true
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "$PAUSE_IMAGE"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  # A lab host may not lower oom_score_adj.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "/usr/local/bin/runc"
        SystemdCgroup = true
EOF
for upstream in docker.io registry.k8s.io; do
  mkdir -p "/etc/containerd/certs.d/$upstream"
  (
    umask 077
    cat >"/etc/containerd/certs.d/$upstream/hosts.toml" <<EOF
server = "$REGISTRY/v2/$upstream"
capabilities = ["pull", "resolve"]
override_path = true
ca = "/root/floor/registry-ca.crt"
[header]
  Authorization = ["$AUTHORIZATION"]
EOF
  )
done

cat >/etc/systemd/system/containerd.service <<'EOF'
[Unit]
After=network.target
[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
[Install]
WantedBy=multi-user.target
EOF
cat >/etc/systemd/system/kubelet.service <<'EOF'
[Unit]
After=containerd.service
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=5
KillMode=process
[Install]
WantedBy=multi-user.target
EOF
systemctl daemon-reload
systemctl enable --quiet kubelet.service
systemctl enable --quiet --now containerd.service
