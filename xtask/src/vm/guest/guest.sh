# Runs in the machine, on a root that looks like the host's: the tests, or a shell.
# The kernel writes to ttyS0; what is of interest goes to ttyS1.
exec </dev/ttyS1 >/dev/ttyS1 2>&1
. /run/settings

export HOME=/root TERM=${TERM:-xterm} LANG=C.UTF-8
export PATH=$STAGE/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /dev/pts /dev/shm /run/netns
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs trace /sys/kernel/tracing
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
ulimit -n 65536
# Virtual functions get their drivers from the tests.
modprobe -q igb && ip link set eth0 up
# Nothing here makes /dev/net/tun before the module is there.
modprobe -q tun

off() {
    sync
    echo o >/proc/sysrq-trigger
    # Nothing that is a file: the host's file system goes first, and the kernel panics when its first program ends.
    while :; do :; done
}

if [ -n "$SHELL_WANTED" ]; then
    stty sane rows "$ROWS" cols "$COLUMNS"
    cd "$REPOSITORY"
    setsid -c bash -i
    off
fi

stty raw -echo
export OVERLAY_PROBE_BIN=$STAGE/bin/overlay-probe OVERLAY_PROBE_SKIPS=/run/skips RUST_BACKTRACE=1
: >$OVERLAY_PROBE_SKIPS
mapfile -t filter <$STAGE/filter
status=0

# Each binary as cargo would run it: in its package, and one test at a time because they share the machine.
run() {
    cd "$REPOSITORY/tests"
    echo "     Running $1${2:+ ($2)} on Linux $(uname -r)"
    timeout --kill-after=10 "$LIMIT" "$STAGE/tests/$1" --test-threads=1 --color=never "${filter[@]}" || status=1
}

for file in "$STAGE"/tests/*; do
    case " $LEAVES_OUT " in
    *" ${file##*/} "*) echo "     Left to another kernel: ${file##*/}" ;;
    *) for _ in $(seq "$(cat "$STAGE/repeat")"); do run "${file##*/}"; done ;;
    esac
done

# Kernels built without BTF have no such directory. The tool must not miss it.
if [ -d /sys/kernel/btf ]; then
    mount -t tmpfs -o ro none /sys/kernel/btf
    [ -e "$STAGE/tests/by_hand" ] && run by_hand "BTF hidden"
fi

sort -u $OVERLAY_PROBE_SKIPS | sed 's/^/@vm skip /'
echo "@vm end $status"
off
