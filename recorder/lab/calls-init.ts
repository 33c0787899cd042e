import {
  GUEST_HEADERS,
  GUEST_IORR,
  GUEST_PROGRAMS,
  NEED_RESULT_DISK,
  guestScript,
  loading,
  needing,
  saving,
} from './guest-script.ts';
import type { GuestTask } from './guest-script.ts';

/** Memory for maps by huge pages, and the switches of fault injection. */
const KERNEL = `
mkdir -p /dev/hugepages
mount -t debugfs debugfs /sys/kernel/debug
echo 64 > /proc/sys/vm/nr_hugepages
`;

/** The NVMe disk goes to VFIO instead of its driver. 0x010802: class and interface of such a disk. */
const DEVICE = `
nvme() { for device in /sys/bus/pci/devices/*; do
  if [ "$(cat "$device/class")" = 0x010802 ]; then echo "$device"; return; fi
done; }
member() { ls "$1" 2> /dev/null; }
${needing('NVMe disk', 'nvme', 'NVME')}
ADDRESS=\${NVME##*/}
echo vfio-pci > "$NVME/driver_override"; echo "$ADDRESS" > /sys/bus/pci/drivers_probe
GROUP=$(readlink "$NVME/iommu_group"); GROUP=/dev/vfio/\${GROUP##*/}
${needing('VFIO group', 'member "$GROUP"', 'GROUP')}
CDEV=/dev/vfio/devices/$(ls "$NVME/vfio-dev" 2> /dev/null)
export ADDRESS GROUP CDEV
`;

const BEFORE = `
mark recording
[ ! -d ${GUEST_HEADERS} ] || export BPFTRACE_KERNEL_SOURCE=${GUEST_HEADERS}
`;

function recording(name: string): string {
  return `
node ${GUEST_IORR}/dist/cli.js record -o /tmp/${name}.iorr --source bpf -- sh ${GUEST_PROGRAMS}/record-${name} \\
  >> /tmp/programs.txt 2>> /tmp/record.txt
status=$?
mark recorded ${name} $status
[ $status = 0 ] || { cat /tmp/record.txt; tail -n 5 /tmp/programs.txt; die "iorr record ended with $status"; }
`;
}

/**
 * The guest's first process where calls are recorded: gives a device to VFIO, runs programs under `iorr record`, and brings
 * out what came of it. In the script that is recorded the device is `$GROUP`, `$ADDRESS` and `$CDEV`.
 */
export function callsInit({ limitSeconds, modules }: Omit<GuestTask, 'seconds'>, traces: readonly string[]): string {
  return guestScript(limitSeconds, [
    KERNEL,
    loading(modules),
    NEED_RESULT_DISK,
    DEVICE,
    BEFORE,
    ...traces.map(recording),
    saving([...traces.map((name) => `${name}.iorr`), 'record.txt', 'programs.txt']),
  ]);
}
