#!/bin/bash
# First process of the node, started by local/node_process.py in new mount, network, UTS, IPC and PID namespaces. Makes
# the unpacked root folder the root file system, connects it to the host by a veth pair, and supervises the services.
#
# usage: init.sh ROOT LAUNCHER_PID HOST_INTERFACE HOST_ADDRESS NODE_ADDRESS CGROUP
set -eu
root=$1 launcher=$2 interface=$3 host_address=$4 node_address=$5 cgroup=$6

# /proc is still the host's here, so this is the pid in the host's namespace.
read -r pid _ </proc/self/stat
namespace=$(stat --dereference --format=%i "/proc/$pid/ns/pid")

mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/old" "$root/run/lock"
cd "$root"
pivot_root . old
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
hash -r

host_network=/old/proc/$launcher/ns/net
ip link add eth0 type veth peer name "$interface"
ip link set "$interface" netns "$host_network"
nsenter --net="$host_network" ip address add "$host_address/30" dev "$interface"
nsenter --net="$host_network" ip link set "$interface" up
ip address add "$node_address/30" dev eth0
ip link set lo up
ip link set eth0 up
ip route add default via "$host_address"
echo 1 >/proc/sys/net/ipv4/ip_forward
# Network policies of kube-router cover only the addresses that pods have, which are IPv4. Link-local addresses of IPv6
# would pass all of them. bridge.conflist does the same for each pod. Some kernels have no IPv6.
for scope in all default; do
    setting=/proc/sys/net/ipv6/conf/$scope/disable_ipv6
    [ ! -e "$setting" ] || echo 1 >"$setting"
done
# Pods may answer the host, and connect to nothing on it: it has programs that trust its users. The table is before the
# one in which kube-router and kube-proxy accept connections.
iptables -t mangle -A FORWARD -i cni0 -o eth0 -m conntrack --ctstate NEW -j DROP
echo local >/proc/sys/kernel/hostname

umount -l /old
rmdir /old
mount --make-rshared /
# Written here and not by the launcher, so that a node whose launcher was killed can still be found and ended.
cat >/var/lib/node.json.new <<RECORD
{"pid": $pid, "namespace": $namespace, "interface": "$interface", "host_address": "$host_address",
 "address": "$node_address", "cgroup": "$cgroup"}
RECORD
mv /var/lib/node.json.new /var/lib/node.json
exec tini -- runsvdir -P /etc/node
