#!/bin/sh
# How kinds.bin, rules.bin and policy_routes.bin were captured: Linux 6.12, which has every kind. Needs root and python3.
# Prints the answers to the requests of source.rs for links, rules and the IPv4 routes of table 1, up to NLMSG_DONE, in
# base64.
set -e
ip netns add nlk; ip netns add nlk-pod
N="ip -n nlk"
$N link set lo up
$N link add eth0 type veth peer name eth0peer netns nlk-pod
$N addr add 192.0.2.1/24 dev eth0; $N link set eth0 up
ip -n nlk-pod link set eth0peer up
# The module makes tunl0 in every namespace.
$N link add ipip1 type ipip local 192.0.2.1 remote 192.0.2.9 dev eth0
$N link add ipipx type ipip external
$N link set tunl0 mtu 1480 up
$N link add gen1 type geneve id 42 remote 192.0.2.9 dstport 6083
$N link add gen6 type geneve id 43 remote 2001:db8::9 dstport 6082
$N link add genx type geneve external dstport 6081
$N link add link eth0 name eth0.100 type vlan id 100
$N link add link eth0 name eth0.200 type vlan id 200 protocol 802.1ad
for mode in private vepa bridge source; do $N link add link eth0 name mv-$mode type macvlan mode $mode; done
$N link add eth1 type veth peer name eth1peer netns nlk-pod
for mode in l2 l3 l3s; do
    $N link add eth1$mode type veth peer name e1$mode netns nlk-pod
    $N link add link eth1$mode name iv-$mode type ipvlan mode $mode
done
$N link add br0 type bridge; $N link set eth1 master br0; $N link set br0 up
$N link add dummy0 type dummy
$N link add nkhost type netkit
# As Calico leads packets to WireGuard, wg-quick all of them, and somebody some.
$N rule add not fwmark 0x100000/0x100000 table 1 priority 99
$N rule add not fwmark 51820 table 51820
$N rule add fwmark 0x200/0xf00 table 2004 priority 9
$N -6 rule add not fwmark 0x100000/0x100000 table 1 priority 99
$N rule add blackhole priority 200
$N route add 10.42.2.128/26 dev eth0 proto 80 table 1
$N route add throw 10.42.3.0/26 table 1
$N route add 10.42.4.0/26 via 192.0.2.4 dev eth0 onlink table 1
ip netns exec nlk python3 - <<'P'
import base64, socket, struct
def dump(name, kind, body):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.setsockopt(270, 12, 1)  # SOL_NETLINK, NETLINK_GET_STRICT_CHK
    s.send(struct.pack("IHHII", 16 + len(body), kind, 0x301, 1, 0) + body)
    answer = b""
    while True:
        part = s.recv(1 << 18)
        answer += part
        at = 0
        while at < len(part):
            length, kind = struct.unpack_from("IH", part, at)
            if kind in (2, 3):
                print("BASE64", name, base64.b64encode(answer).decode())
                return
            at += (length + 3) & ~3
dump("kinds", 18, struct.pack("BxHiII", 0, 0, 0, 0, 0) + struct.pack("HHI", 8, 29, 8))
dump("rules", 34, bytes(12))
dump("policy_routes", 26, bytes([2]) + bytes(11) + struct.pack("HHI", 8, 15, 1))
P
ip -n nlk -d link show
