import { GUEST_IORR, NEED_RESULT_DISK, guestScript, loading, needing, saving } from './guest-script.ts';
import type { GuestTask } from './guest-script.ts';
import { BLOCK_SERIAL, NVME_SERIAL } from './qemu-command.ts';

const PHASES = ['block-4k', 'block-256k', 'nvme-4k', 'nvme-128k', 'files', 'net-to-e1000e', 'net-to-virtio'] as const;

const LOADS = `
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

const DISKS = [
  needing(`disk ${BLOCK_SERIAL}`, `disk ${BLOCK_SERIAL}`, 'BLOCK'),
  needing(`disk ${NVME_SERIAL}`, `disk ${NVME_SERIAL}`, 'NVME'),
  NEED_RESULT_DISK,
  needing('virtio network', 'network virtio_net', 'LEFT'),
  needing('e1000e network', 'network e1000e', 'RIGHT'),
].join('\n');

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
`;

/**
 * The guest's first process: loads drivers and does I/O while `iorr record` runs, writes what came of it to the result disk,
 * and switches off. The recorder starts before the drivers, so that the trace has their first maps.
 */
export function guestInit({ seconds, limitSeconds, modules }: GuestTask): string {
  return guestScript(limitSeconds, [
    LOADS,
    RECORD,
    loading(modules),
    DISKS,
    'exec 2> /tmp/noise.txt',
    NETWORK,
    phases(seconds),
    'exec 2>&1',
    FINISH,
    saving(['guest.iorr', 'record.txt']),
  ]);
}
