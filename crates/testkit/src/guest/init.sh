#!/bin/busybox sh
# Process 1 of the guest. First on the initramfs, which cannot be left by pivot_root, then on a tmpfs.
if [ -z "$MOVED" ]; then
    /bin/busybox mkdir /new
    /bin/busybox mount -t tmpfs -o mode=755 tmpfs /new
    for entry in /*; do [ "$entry" = /new ] || /bin/busybox cp -a "$entry" /new/; done
    MOVED=1 exec /bin/busybox switch_root /new /init
fi
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /proc /sys /dev /run /tmp /etc /var/lib /root
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t securityfs securityfs /sys/kernel/security
for module in /modules/*.ko; do insmod "$module"; done
rm -r /modules
ip link set lo up
cd /
sh /script </dev/null 2>&1
echo "@MARKER@ $?"
poweroff -f
