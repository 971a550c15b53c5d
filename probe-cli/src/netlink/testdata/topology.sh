#!/bin/sh
# Builds the namespace whose dumps are the *.bin files beside this: run as root, then in `nlx` send each dump request
# of source.rs (neighbours and FDB without the device filter) and store the bytes of its answer up to NLMSG_DONE.
set -e
N="ip -n nlx"
ip netns add nlx; ip netns add nlx-pod
$N link set lo up
$N link add eth0 type veth peer name eth0peer netns nlx-pod
$N addr add 192.0.2.1/24 dev eth0
$N -6 addr add 2001:db8::1/64 dev eth0 nodad
$N link set eth0 address 02:00:00:00:00:01; $N link set eth0 up
ip -n nlx-pod link set eth0peer up
$N route add default via 192.0.2.254
$N -6 route add default via 2001:db8::fe
# flannel v4
$N link add flannel.1 address 0a:00:00:00:00:01 type vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 nolearning
$N addr add 10.42.0.0/32 dev flannel.1
$N link set flannel.1 up
$N route add blackhole 10.42.0.0/24
for i in 2 3; do
 $N neigh add 10.42.$i.0 lladdr 0a:00:00:00:00:0$i dev flannel.1 nud permanent
 bridge -n nlx fdb add 0a:00:00:00:00:0$i dev flannel.1 dst 192.0.2.$i
 $N route add 10.42.$i.0/24 via 10.42.$i.0 dev flannel.1 onlink
done
# flannel v6
$N link add flannel-v6.1 address 0a:00:00:00:06:01 type vxlan id 1 dev eth0 local 2001:db8::1 dstport 8472 nolearning
$N -6 addr add fd42::/128 dev flannel-v6.1 nodad
$N link set flannel-v6.1 up
$N -6 neigh add fd42:0:0:2:: lladdr 0a:00:00:00:06:02 dev flannel-v6.1 nud permanent
bridge -n nlx fdb add 0a:00:00:00:06:02 dev flannel-v6.1 dst 2001:db8::2
$N -6 route add fd42:0:0:2::/64 via fd42:0:0:2:: dev flannel-v6.1 onlink
# hand made
$N link add p2p type vxlan id 77 remote 192.0.2.9 dstport 4789
$N link add p2p6 type vxlan id 78 remote 2001:db8::9 dstport 4789
$N link add grp type vxlan id 79 group 239.1.1.1 dev eth0 dstport 4790
$N link add grp6 type vxlan id 80 group ff05::99 dev eth0 dstport 4790
$N link add ext0 type vxlan external dstport 4791
for d in p2p p2p6 grp grp6 ext0; do $N link set $d up; done
bridge -n nlx fdb append 00:00:00:00:00:00 dev p2p dst 192.0.2.10
bridge -n nlx fdb add 02:00:00:00:77:09 dev p2p dst 192.0.2.9
# pods
$N link add cali0a1b2c3d4e5 type veth peer name eth0 netns nlx-pod
$N link set cali0a1b2c3d4e5 address ee:ee:ee:ee:ee:ee; $N link set cali0a1b2c3d4e5 up
ip -n nlx-pod link set eth0 up
$N route add 10.42.0.5/32 dev cali0a1b2c3d4e5 scope link
$N -6 route add fd42::5/128 dev cali0a1b2c3d4e5
# multipath, mtu, other route kinds
$N route add 198.51.100.0/24 mtu 1400 src 192.0.2.1 nexthop via 192.0.2.2 weight 1 nexthop via 192.0.2.3 weight 2
$N -6 route add 2001:db8:51::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3
$N route add 198.51.101.0/24 via inet6 fe80::99 dev eth0
$N route add unreachable 198.51.102.0/24
$N -6 route add blackhole fd42::/64
$N route add 203.0.113.0/24 via 192.0.2.2 table 100
$N neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev eth0
