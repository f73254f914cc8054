#!/bin/sh
# One line for everything that runs on this host: "unit NAME INVOCATION" or "container NAME ID". A restart changes the last word.
# systemd's own helpers come and go with the calls of others, so they say nothing.
set -eu
systemctl list-units --type=service --state=running --no-legend --plain |
  while read -r unit _; do
    case $unit in systemd-* | user@* | getty@*) continue ;; esac
    echo "unit $unit $(systemctl show --property=InvocationID --value "$unit")"
  done
if command -v crictl >/dev/null && [ -S /run/containerd/containerd.sock ]; then
  crictl --runtime-endpoint unix:///run/containerd/containerd.sock ps --output json |
    python3 -c '
import json, sys
for container in json.load(sys.stdin).get("containers") or []:
    pod = container["labels"].get("io.kubernetes.pod.name", "-")
    print("container", pod + "/" + container["metadata"]["name"], container["id"])
'
fi
