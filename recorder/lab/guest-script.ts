import { MARK_PREFIX } from './guest-marks.ts';
import { RESULT_SERIAL } from './qemu-command.ts';

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
export const GUEST_PROGRAMS = '/programs';
export const GUEST_HEADERS = '/kernel';

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
`;

/** Loads the drivers. */
export function loading(modules: readonly string[]): string {
  return modules.map((name) => `insmod ${GUEST_MODULES}/${name}.ko || die "module ${name} did not load"`).join('\n');
}

/** Steps that find what `name` says by a command, and put it in a variable. */
export function needing(name: string, command: string, variable: string): string {
  return `need "${name}" ${command}; ${variable}=$found`;
}

export const NEED_RESULT_DISK = needing(`disk ${RESULT_SERIAL}`, `disk ${RESULT_SERIAL}`, 'RESULT');

/** Puts what came of it on the result disk, and switches off. `files` are in /tmp, beside what tells of the guest itself. */
export function saving(files: readonly string[]): string {
  return `
dmesg > /tmp/dmesg.txt
cp /proc/cmdline /tmp/cmdline.txt
for group in /sys/kernel/iommu_groups/*; do
  echo "\${group##*/} $(cat "$group/type") $(ls "$group/devices" | tr '\\n' ' ')"
done > /tmp/iommu_groups.txt
cd /tmp && tar -cf - ${files.join(' ')} dmesg.txt cmdline.txt iommu_groups.txt > /tmp/result.tar || die "tar failed"
dd if=/tmp/result.tar of="$RESULT" bs=64k conv=fsync || die "the results did not fit on their disk"
mark saved $(wc -c < /tmp/result.tar)
poweroff -f
`;
}

/** The guest's first process, from its file systems on. */
export function guestScript(limitSeconds: number, steps: readonly string[]): string {
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
    ...steps,
  ].join('\n');
}
