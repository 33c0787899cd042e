import type { Trace } from '../../../traces/trace.ts';
import type { Keyed } from './keyed.ts';
import type { Survey } from './survey.ts';

/** Words of QEMU and the kernel that name no one: states of a migration and of a machine, attributes of a map. */
const ATTRIBUTES = /^[A-Z][A-Z_]*([|, ]+[A-Z][A-Z_]*)*$/;
const STATES: ReadonlySet<string> = new Set(
  (
    'none setup active completed failed failing cancelling cancelled device pre-switchover wait-unplug postcopy-active ' +
    'postcopy-paused postcopy-recover postcopy-recover-setup colo running stopped paused inmigrate postmigrate prelaunch ' +
    'finish-migrate restore-vm save-vm shutdown suspended watchdog debug guest-panicked internal-error io-error reset ' +
    'STOP RESUME MIGRATION MIGRATION_PASS RESET SHUTDOWN POWERDOWN SUSPEND WAKEUP BLOCK_JOB_READY UNPLUG_PRIMARY'
  ).split(' '),
);
/** Texts in QEMU's answers that are words of its own. */
const WORDED: ReadonlySet<string> = new Set(['status', 'mode', 'calc-time-unit', 'capability', 'vcpu-dirty-limit']);
/** Numbers in them that say what time it was. */
const CLOCKS: ReadonlySet<string> = new Set(['start-time', 'seconds', 'microseconds', 'date-sec', 'date-nsec']);
const WORD = /^[a-z][a-z0-9-]{0,47}$/;

/** QEMU's answer, as JSON: numbers and words stay, names and times of day go. Undefined for what is none. */
function answer(keyed: Keyed, text: string): string | undefined {
  const walk = (value: unknown, under: string): unknown => {
    if (typeof value === 'string') return WORDED.has(under) && WORD.test(value) ? value : keyed.name('text', value);
    if (Array.isArray(value)) return value.map((item) => walk(item, under));
    if (typeof value !== 'object' || value === null) return CLOCKS.has(under) ? 0 : value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        WORD.test(name) ? name : keyed.name('name', name),
        walk(item, name),
      ]),
    );
  };
  try {
    return JSON.stringify(walk(JSON.parse(text), ''));
  } catch {
    return undefined;
  }
}

const PREFIX: { readonly [column: string]: string } = { 'mark.text': 'mark', 'dirty.name': 'block' };

/** Files that are the same on every machine, and kinds of files that importers write in the place of names. */
const FILES: readonly RegExp[] = [
  /^\/dev\/(iommu|null|kvm|vfio\/(vfio|\d+|devices\/vfio\d+)|vhost-[a-z]+)$/,
  /^(\/sys|\/sys\/kernel\/[a-z_/]+|\/proc\/self\/[a-z_]+|file|pipe:|socket:|\/memfd:|\/dmabuf:)$/,
  /^anon_inode:\[?[a-z_:-]+\]?$/,
];
/** `/proc/124/status`, `/proc/self/task/124/fail-nth` */
const OF_A_PROCESS = /^\/proc\/(self|thread-self|\d+)(\/task\/\d+)?\/[a-z_-]+$/;
const CALL_NAME = /^[a-z][a-z0-9_]{0,31}$/;

/** The kind of a file: what says what it is stays, names go. */
function renamedFile(keyed: Keyed, path: string, pids: ReadonlyMap<number, number>): string {
  if (FILES.some((file) => file.test(path))) return path;
  if (OF_A_PROCESS.test(path)) return path.replace(/\d+/g, (pid) => String(pids.get(Number(pid)) ?? 0));
  const [, kind = ''] = /^(\/memfd:|memfd:|\/dev\/(?:hugepages|shm)\/)/.exec(path) ?? [];
  return `${kind}${keyed.name('file', path)}`;
}

function renamed(keyed: Keyed, text: string, columns: ReadonlySet<string>, pids: ReadonlyMap<number, number>): string {
  if ([...columns].every((column) => column.endsWith('.path'))) return renamedFile(keyed, text, pids);
  if ([...columns].every((column) => column === 'call.name') && CALL_NAME.test(text)) return text;
  if ([...columns].every((column) => column.endsWith('.attrs')) && ATTRIBUTES.test(text)) return text;
  if (columns.size === 1 && columns.has('dirty.name')) {
    if (STATES.has(text)) return text;
    if (text.startsWith('{')) return answer(keyed, text) ?? keyed.name('text', text);
  }
  const [first = ''] = [...columns].sort();
  return keyed.name(PREFIX[first] ?? (first.endsWith('.unit') ? 'unit' : 'name'), text);
}

/** The string table with other names: what nothing refers to becomes empty. */
export function renamedTexts(
  trace: Trace,
  { texts }: Survey,
  keyed: Keyed,
  pids: ReadonlyMap<number, number>,
): { strings: string[]; changed: number } {
  let changed = 0;
  const strings = trace.strings.map((text, ref) => {
    const columns = texts.get(ref);
    if (columns === undefined) return '';
    const name = renamed(keyed, text, columns, pids);
    if (name !== text) changed++;
    return name;
  });
  return { strings, changed };
}

/** The kernel's largest process id on 64 bits, and ids that early processes of every system have. */
const MOST_PIDS = 2 ** 22;
const LEAST_PID = 300;

/** Another process id for each, none of which the trace has. 0, the idle thread, and -1 stay. */
export function renamedPids(pids: ReadonlySet<number>, keyed: Keyed): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  const taken = new Set(pids);
  for (const pid of [...pids].sort((a, b) => a - b)) {
    for (let n = 0; ; n++) {
      // where a trace has millions of ids they go beyond the kernel's
      const most = n < 4096 ? MOST_PIDS : 2 ** 31 - 1;
      const other = LEAST_PID + (keyed.number('pid', `${pid} ${n}`) % (most - LEAST_PID));
      if (taken.has(other)) continue;
      taken.add(other);
      map.set(pid, other);
      break;
    }
  }
  return map;
}
