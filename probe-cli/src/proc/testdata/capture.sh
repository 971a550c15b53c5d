#!/bin/sh
# Makes the files beside this, as root: the counters of a router between two networks of MTU 1500 and 1300, after packets that
# were forwarded, taken apart, too long, without a route, from an address that the reverse path filter refuses, and fragments.
set -e
cd "$(dirname "$0")"
for n in l r m; do ip netns add prc-$n; ip -n prc-$n link set lo up; done
trap 'for n in l r m; do ip netns del prc-$n; done' EXIT
for n in l r; do
  ip -n prc-m link add to-$n type veth peer name e0 netns prc-$n
  ip -n prc-m link set to-$n up; ip -n prc-$n link set e0 up
done
ip -n prc-m link set to-r mtu 1300; ip -n prc-r link set e0 mtu 1300
ip -n prc-m addr add 192.0.2.1/25 dev to-l; ip -n prc-m addr add 192.0.2.129/25 dev to-r
ip -n prc-m addr add 2001:db8:1::1/64 dev to-l nodad; ip -n prc-m addr add 2001:db8:2::1/64 dev to-r nodad
ip -n prc-l addr add 192.0.2.2/25 dev e0; ip -n prc-r addr add 192.0.2.130/25 dev e0
ip -n prc-l addr add 2001:db8:1::2/64 dev e0 nodad; ip -n prc-r addr add 2001:db8:2::2/64 dev e0 nodad
ip -n prc-l route add default via 192.0.2.1; ip -n prc-r route add default via 192.0.2.129
ip -n prc-l route add default via 2001:db8:1::1; ip -n prc-r route add default via 2001:db8:2::1
on() { nsenter --net=/run/netns/prc-$1 sh -c "$2"; }
on m 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter'
sleep 2
send() { on $1 "python3 -c \"
import socket, sys
for family, to, size, pmtu in $2:
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET: s.setsockopt(0, 10, pmtu)
    else: s.setsockopt(41, 23, pmtu)
    try: s.sendto(bytes(size), (to, 9))
    except OSError: pass
    s.close()
\""; }
V4=socket.AF_INET; V6=socket.AF_INET6
# To a closed port of the router; forwarded; taken apart on the way; must not be (3 is IP_PMTUDISC_PROBE, 0 DONT); no route.
send l "[($V4,'192.0.2.1',10,0)]*3 + [($V6,'2001:db8:1::1',10,0)]*4"
send l "[($V4,'192.0.2.130',10,0)]*2 + [($V4,'192.0.2.130',1400,0)]*5 + [($V4,'192.0.2.130',1400,3)]*6 + [($V6,'2001:db8:2::2',1400,3)]*7"
send l "[($V4,'198.51.100.1',10,0)]*8 + [($V6,'2001:db8:9::1',10,0)]*9"
# Fragments for the router itself.
send l "[($V4,'192.0.2.1',3000,0)]*2"
# From an address behind the other side.
ip -n prc-l addr add 192.0.2.131/32 dev lo
on l "python3 -c \"
import socket
for i in range(3):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('192.0.2.131', 0)); s.sendto(b'x', ('192.0.2.1', 9))
\""
sleep 1
for f in snmp netstat snmp6 stat/nf_conntrack; do on m "cat /proc/net/$f" > "$(basename $f)"; done
