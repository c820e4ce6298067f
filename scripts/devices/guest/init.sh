#!/bin/busybox sh
# The first process of the guest: makes the machine and its devices ready, runs the driver, and turns the machine off.
export PATH=/bin:/app/programs TERM=dumb HOME=/tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
ifconfig lo 127.0.0.1 up
# Which needs which differs from kernel to kernel: what does not load yet is tried again while others do.
mkdir /loaded
mv /modules /early
mkdir /modules
for module in $(cat /late); do
  mv "/early/$module.ko" /modules 2>/dev/null
done
for attempt in 1 2 3 4 5 6; do
  for module in /early/*.ko; do
    insmod "$module" 2>/dev/null && rm "$module"
  done
done
# A hub that sleeps does not see what QEMU plugs in.
echo -1 >/sys/module/usbcore/parameters/autosuspend
for control in /sys/bus/usb/devices/*/power/control; do
  echo on >"$control"
done
[ -z "$(ls /early)" ] || echo "These modules do not load:" /early/*
mkdir /disk
mke2fs /dev/vda >/dev/null && mount -t ext4 /dev/vda /disk || echo "There is no disk."
chmod 1777 /disk
# The kernel was told to boot with one processor (scripts/kernels/qemu.ts says why).
for processor in /sys/devices/system/cpu/cpu[1-9]*/online; do
  echo 1 >"$processor"
done
cd /app
node /app/scripts/kernels/guest/driver.js /job.json
echo "The driver ended with $?."
# QEMU is told not to start again, so that this ends it.
reboot -f
