import { MARK_PREFIX } from './guest-marks.ts';
import { BLOCK_SERIAL, NVME_SERIAL, RESULT_SERIAL } from './qemu-command.ts';

export interface GuestTask {
  /** Seconds of I/O, all phases together. */
  readonly seconds: number;
  /** The guest gives up and switches itself off after this many seconds, whatever hangs. */
  readonly limitSeconds: number;
  /** Modules in the order in which they are loaded. */
  readonly modules: readonly string[];
}

/** Where the parts of the guest are. */
export const GUEST_IORR = '/iorr';
export const GUEST_MODULES = '/modules';

const PHASES = ['block-4k', 'block-256k', 'nvme-4k', 'nvme-128k', 'files', 'net-to-e1000e', 'net-to-virtio'] as const;

const FUNCTIONS = `
mark() { echo "${MARK_PREFIX} $*"; }
note() { for file in /sys/kernel/tracing/instances/*/trace_marker; do echo "lab: $1" > "$file"; done; }
die() { mark failed "$*"; poweroff -f; }
now() { cut -d. -f1 /proc/uptime; }
going_on() { [ "$(now)" -lt "$END" ]; }
phase() { mark phase "$1"; note "$1"; END=$(($(now) + $2)); }
disk() {
  for block in /sys/block/*; do
    if grep -qs "^$1" "$block/serial" "$block/device/serial"; then echo "/dev/\${block##*/}"; return; fi
  done
}
network() {
  for link in /sys/class/net/*; do
    case "$(readlink "$link/device/driver")" in */$1) echo "\${link##*/}"; return ;; esac
  done
}
need() { # NAME COMMAND...: waits until the command prints something
  name=$1; shift
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    found=$("$@"); [ -z "$found" ] || return 0
    sleep 1
  done
  die "no $name in the guest"
}
# DISK BLOCKS BYTES COUNT: COUNT blocks of so many bytes, anywhere among the first BLOCKS, again and again
reader() { while going_on; do dd if="$1" of=/dev/null bs="$3" count="$4" skip=$((RANDOM % $2)) iflag=direct; done; }
writer() { while going_on; do dd if=/dev/zero of="$1" bs="$3" count="$4" seek=$((RANDOM % $2)) oflag=direct conv=notrunc; done; }
load() {
  reader "$@" & a=$!
  reader "$@" & b=$!
  writer "$@" & c=$!
  wait $a $b $c
}
`;

const DISKS = `
need "disk ${BLOCK_SERIAL}" disk ${BLOCK_SERIAL}; BLOCK=$found
need "disk ${NVME_SERIAL}" disk ${NVME_SERIAL}; NVME=$found
need "disk ${RESULT_SERIAL}" disk ${RESULT_SERIAL}; RESULT=$found
need "virtio network" network virtio_net; LEFT=$found
need "e1000e network" network e1000e; RIGHT=$found
`;

/** The second network lives in a name space of its own, so that packets take the wire and not the loopback. */
const NETWORK = `
unshare -n sleep 1000000 & PEER=$!
sleep 1
peer() { nsenter -t $PEER -n "$@"; }
ip link set "$RIGHT" netns $PEER || die "no name spaces for networks"
ip addr add 10.9.0.1/24 dev "$LEFT"; ip link set "$LEFT" up
peer ip addr add 10.9.0.2/24 dev "$RIGHT"; peer ip link set "$RIGHT" up
`;

function phase(name: (typeof PHASES)[number], seconds: number, work: string): string {
  return `phase ${name} ${seconds}\n${work}\n`;
}

function phases(seconds: number): string {
  const each = Math.max(1, Math.round(seconds / PHASES.length));
  const bulk = (from: string, to: string, address: string): string => `
${to} nc -l -p 5001 > /dev/null & sink=$!
sleep 1
${from} timeout ${each} sh -c "dd if=/dev/zero bs=16k | nc ${address} 5001"
kill $sink; wait $sink
${from} ping -q -c 3 -i 0.2 -s 1400 ${address}`;
  return [
    phase('block-4k', each, 'load "$BLOCK" 32768 4k 64'),
    phase('block-256k', each, 'load "$BLOCK" 512 256k 8'),
    phase('nvme-4k', each, 'load "$NVME" 32768 4k 64'),
    phase('nvme-128k', each, 'load "$NVME" 1024 128k 8'),
    phase(
      'files',
      each,
      `mke2fs -q "$NVME" > /dev/null && mkdir -p /mnt && mount -t ext4 "$NVME" /mnt || die "no file system on $NVME"
i=0; while going_on; do i=$((i + 1)); cp /init /mnt/$i; dd if=/dev/zero of=/mnt/big bs=64k count=32; sync; done
echo 3 > /proc/sys/vm/drop_caches; cat /mnt/big > /dev/null; umount /mnt`,
    ),
    phase('net-to-e1000e', each, bulk('', 'peer', '10.9.0.2')),
    phase('net-to-virtio', each, bulk('peer', '', '10.9.0.1')),
  ].join('');
}

const RECORD = `
node ${GUEST_IORR}/dist/cli.js record -o /tmp/guest.iorr --source tracefs 2> /tmp/record.txt & RECORDER=$!
until grep -qs 1 /sys/kernel/tracing/instances/*/tracing_on; do
  [ -e /proc/$RECORDER/stat ] || { cat /tmp/record.txt; die "iorr record ended before it began"; }
  sleep 0.2
done
mark recording
`;

/** 143 is what a recording that SIGTERM ended says. */
const FINISH = `
mark stopping
note end
sync; sleep 1
kill -TERM $RECORDER; wait $RECORDER; status=$?
cat /tmp/record.txt
case $status in 0|143) ;; *) die "iorr record ended with $status" ;; esac
ls -d /sys/kernel/tracing/instances/* 2> /dev/null && die "a trace instance stayed behind"
dmesg > /tmp/dmesg.txt
cp /proc/cmdline /tmp/cmdline.txt
for group in /sys/kernel/iommu_groups/*; do
  echo "\${group##*/} $(cat "$group/type") $(ls "$group/devices" | tr '\\n' ' ')"
done > /tmp/iommu_groups.txt
cd /tmp && tar -cf - guest.iorr record.txt dmesg.txt cmdline.txt iommu_groups.txt > /tmp/result.tar || die "tar failed"
dd if=/tmp/result.tar of="$RESULT" bs=64k conv=fsync || die "the results did not fit on their disk"
mark saved $(wc -c < /tmp/result.tar)
poweroff -f
`;

/**
 * The guest's first process: loads drivers and does I/O while `iorr record` runs, writes what came of it to the result disk,
 * and switches off. The recorder starts before the drivers, so that the trace has their first maps.
 */
export function guestInit(task: GuestTask): string {
  const { seconds, limitSeconds, modules } = task;
  const load = modules.map((name) => `insmod ${GUEST_MODULES}/${name}.ko || die "module ${name} did not load"`);
  return [
    '#!/usr/bin/busybox sh',
    'export PATH=/usr/bin:/usr/sbin',
    '/usr/bin/busybox --install -s',
    'mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp',
    'mount -t tracefs tracefs /sys/kernel/tracing',
    'exec < /dev/null > /dev/console 2>&1',
    FUNCTIONS,
    `(sleep ${limitSeconds}; die "not done in ${limitSeconds} s") &`,
    'mark boot "$(uname -r)"',
    RECORD,
    ...load,
    DISKS,
    'exec 2> /tmp/noise.txt',
    NETWORK,
    phases(seconds),
    'exec 2>&1',
    FINISH,
  ].join('\n');
}
