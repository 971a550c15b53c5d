#!/bin/sh
# Builds the devices whose dumps are wireguard.bin and wireguard_family.bin beside this: run as root on a kernel with
# WireGuard (captured on Linux 6.12), then in `wgx` send the two requests of wireguard.rs, for `wg0`, and store the bytes of
# the answers up to NLMSG_DONE. Read with a buffer of 4 KiB, so that the dump takes several messages.
#
# The keys are known: the private key is 32 times 0x48, the preshared key 32 times 0x5a.
set -e
key() { printf "%32s" "" | tr ' ' "$1" | base64; }
ip netns add wgx; ip netns add wgy
N="ip -n wgx"
$N link set lo up
$N link add u0 type veth peer name u0 netns wgy
$N addr add 192.0.2.1/24 dev u0; $N link set u0 up
ip -n wgy addr add 192.0.2.2/24 dev u0; ip -n wgy link set u0 up
$N link add wg0 type wireguard
ip -n wgy link add wg0 type wireguard
D=$(mktemp -d)
key H > $D/private; key P > $D/far; key Z > $D/preshared
near=$(wg pubkey < $D/private); far=$(wg pubkey < $D/far)
W="ip netns exec wgx wg set wg0"
$W private-key $D/private listen-port 51820 fwmark 0x20000
$W peer $far preshared-key $D/preshared endpoint 192.0.2.2:51822 persistent-keepalive 25 allowed-ips 10.42.2.0/24,fd42:0:0:2::/64
$W peer $(key Q | wg pubkey) endpoint '[2001:db8::3]:51821' allowed-ips 10.42.3.0/24
$W peer $(key R | wg pubkey)
$W peer $(key S | wg pubkey) endpoint '[fe80::4%u0]:51820' allowed-ips $(seq 1 200 | sed 's|.*|10.43.&.0/24|' | paste -sd,)
ip netns exec wgy wg set wg0 private-key $D/far listen-port 51822 peer $near preshared-key $D/preshared allowed-ips 10.42.1.0/24
ip -n wgy addr add 10.42.2.1/32 dev wg0; ip -n wgy link set wg0 up; ip -n wgy route add 10.42.0.0/16 dev wg0
# Only now this end: it begins the handshake when it goes up.
$N addr add 10.42.1.1/32 dev wg0; $N link set wg0 up; $N route add 10.42.0.0/16 dev wg0
ip netns exec wgx bash -c "for i in 1 2 3; do echo hello > /dev/udp/10.42.2.1/9; sleep 0.5; done"
