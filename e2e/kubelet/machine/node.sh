#!/bin/bash
# PID 1 of a node, in pid, mount, uts, ipc and cgroup namespaces of its own and in the node's network namespace. When it is killed
# everything of the node ends: containerd, its shims, containers, kubelet and kube-proxy.
#   node.sh NAME FOLDER ADDRESS    FOLDER: the node's configuration, and its /var and logs
set -eu
name=$1 folder=$2 address=$3
mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc

# The cgroups of this namespace. What else is mounted below /sys must go first: runc takes the first that /proc/self/mountinfo has.
umount -l /sys
mount -t sysfs sysfs /sys
if grep -q ':memory:\|,memory\|memory,' /proc/self/cgroup; then # version 1
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  while IFS=: read -r _ set _; do
    [ -n "$set" ] || continue # version 2 beside it, without controllers
    mkdir "/sys/fs/cgroup/${set#name=}"
    case $set in
    name=*) mount -t cgroup -o "none,$set" cgroup "/sys/fs/cgroup/${set#name=}" ;;
    *,*)
      mount -t cgroup -o "$set" cgroup "/sys/fs/cgroup/$set"
      for one in ${set//,/ }; do ln -s "$set" "/sys/fs/cgroup/$one"; done
      ;;
    *) mount -t cgroup -o "$set" cgroup "/sys/fs/cgroup/$set" ;;
    esac
  done </proc/self/cgroup
else # version 2: a group that gives its controllers to others may hold no process itself
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/node
  while read -r pid; do echo "$pid" >/sys/fs/cgroup/node/cgroup.procs || true; done </sys/fs/cgroup/cgroup.procs
  for one in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$one" >/sys/fs/cgroup/cgroup.subtree_control; done
fi

# What kubelet, containerd and CNI write to, once per node.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
for path in var/lib/kubelet var/lib/containerd var/lib/cni var/log etc/cni etc/containerd opt/containerd; do
  mkdir -p "$folder/$path" "/$path"
  mount --bind "$folder/$path" "/$path"
done

# kubelet sets sysctls that belong to the whole machine: it finds them set already, in files.
mkdir /run/sysctl
while read -r key value; do
  echo "$value" >"/run/sysctl/${key//\//.}"
  mount --bind "/run/sysctl/${key//\//.}" "/proc/sys/$key"
done <<'KEYS'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
KEYS
mount --make-rshared / # kubelet wants its folder on a shared mount

# Each is started again when it ends, as by systemd, with its output in a file.
forever() {
  local log=$1
  shift
  while :; do
    "$@" >>"$folder/$log.log" 2>&1 || true
    sleep 0.5
  done
}
forever containerd containerd --config "$folder/containerd.toml" &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
forever kubelet kubelet --config "$folder/kubelet.yaml" --kubeconfig "$folder/kubelet.conf" --hostname-override "$name" \
  --node-ip "$address" --root-dir /var/lib/kubelet -v 2 &
# By design kube-proxy ends when the node's addresses change.
forever kube-proxy kube-proxy --config "$folder/kube-proxy.yaml" &
while :; do wait -n || true; done
