#!/bin/sh
# The first program in the machine. It reaches the host's file system, puts a layer in memory above it, and goes on there.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
. /settings

die() {
    echo "cannot start: $1" >/dev/ttyS1
    $b poweroff -f
}

for module in $MODULES; do
    $b insmod "/modules/$module" || die "insmod $module"
done
# Files on the host do not change while the machine runs, or it does not matter that they do: nobody asks again.
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /lower || die "9p"
$b mount -t tmpfs -o mode=755 memory /memory || die "tmpfs"
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work root /host || die "overlay"
for directory in proc sys dev; do
    $b mount -o move "/$directory" "/host/$directory" || die "moving $directory"
done
# What programs on the host keep at run time is not the machine's.
$b mount -t tmpfs -o mode=755 run /host/run
$b mkdir -p "/host/lib/modules/$RELEASE"
$b mount -o bind "/lower$KERNEL/lib/modules/$RELEASE" "/host/lib/modules/$RELEASE" || die "kernel modules"
$b cp /settings /host/run/settings
exec $b chroot /host /bin/bash "$STAGE/guest.sh"
