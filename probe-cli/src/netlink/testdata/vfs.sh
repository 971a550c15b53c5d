#!/bin/sh
# How vfs.bin was captured: Linux 6.12 under QEMU 10 with `-device igb` behind a root port, whose PF is $1.
# Needs root and python3; prints the answer to RTM_GETLINK with RTEXT_FILTER_VF, without its acknowledgement, in base64.
set -e
pf=${1:-eth0}
modprobe igb
ip link set "$pf" up
sleep 3
echo 3 >"/sys/class/net/$pf/device/sriov_numvfs"
sleep 3
ip link set "$pf" vf 0 mac 02:00:00:00:00:01 vlan 100 qos 3 spoofchk off trust on
ip link set "$pf" vf 1 mac 02:00:00:00:00:02 max_tx_rate 100 || true
python3 - "$pf" <<'P'
import base64, socket, struct, sys
index = socket.if_nametoindex(sys.argv[1])
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
body = struct.pack("BxHiII", 0, 0, index, 0, 0) + struct.pack("HHI", 8, 29, 1)
s.send(struct.pack("IHHII", 16 + len(body), 18, 1, 1, 0) + body)
print("BASE64", base64.b64encode(s.recv(65536)).decode())
P
ip link show "$pf"
