#!/usr/bin/env bash
# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
#
# One host's container. container.py runs it in a mount namespace of its own:
#     host.sh boot NAME NETNS BASE UPPER WORK ROOT CONSOLE [BIND…]
# sets the stage (a unified cgroup view, a cgroup of the host's own, the overlay) and reports what is wrong with it, then
# leaves a keeper behind, which runs systemd-nspawn and runs it again when the host asks for a reboot.
set -euo pipefail

readonly REBOOT_ASKED_FOR=133
verb=$1 name=$2 netns=$3 base=$4 upper=$5 work=$6 root=$7 console=$8
binds=("${@:9}")
cgroup=/sys/fs/cgroup/arca-lab/$name

boot() {
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # The keeper has a leaf of its own: a group that holds processes cannot hand controllers down.
    mkdir -p "$cgroup/keeper"
    echo $$ >"$cgroup/keeper/cgroup.procs"
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$upper,workdir=$work,volatile" "$root"
    setsid --fork "$0" keep "${@:2}" </dev/null >>"$console" 2>&1
}

keep() {
    # The API mount that is left writable is /proc/sys/net alone: BIRD and sysctl need it.
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
    local status=$REBOOT_ASKED_FOR
    while ((status == REBOOT_ASKED_FOR)); do
        status=0
        echo "lab: booting $name"  # boot.py looks for the last such line
        (
            echo "$BASHPID" >"$cgroup/cgroup.procs"
            exec systemd-nspawn --quiet --boot --directory="$root" --machine="lab-$name" --hostname="$name" \
                --register=no --keep-unit --network-namespace-path="/run/netns/$netns" --capability=CAP_NET_ADMIN \
                --resolv-conf=off --timezone=off --link-journal=no --console=read-only "${binds[@]/#/--bind-ro=}"
        ) || status=$?
        forget_network
    done
}

# A reboot forgets addresses and routes; the cables, in the namespace that outlives it, stay.
forget_network() {
    local interface
    for interface in $(ip -netns "$netns" -json link show | names); do
        ip -netns "$netns" link set dev "$interface" down
        ip -netns "$netns" address flush dev "$interface"
    done
}

names() {
    grep -o '"ifname":"[^"]*"' | cut -d'"' -f4
}

"$verb" "$@"
