import { CALL_EVENT, STREAM_ID } from '../traces/schema.ts';
import type { BytesColumn } from '../traces/schema.ts';
import type { MemoryTrace } from '../traces/memory-trace.ts';
import { decodeUserMemory } from '../traces/user-memory.ts';

/** How a recorder names the fail-nth file, and whether it shows what was written there. */
export interface LineOptions {
  readonly failNth: string;
  /** As the file's descriptor is shown: recorders that read /proc/PID/fd/N see another name than the one that was opened. */
  readonly failNthLink: string;
  readonly written: boolean;
}

const FAIL_NTH = '/proc/self/fail-nth';

/** The calls of a trace as a recorder of `docs/sources/ioctl-ndjson.md` writes them. For tests. */
export function ndjsonLines(trace: MemoryTrace, { failNth, failNthLink, written }: LineOptions): string {
  const lines: string[] = [];
  const texts = trace.strings;
  const named = (index: number, link: boolean): string => {
    const path = texts[index] ?? '';
    return path === FAIL_NTH ? (link ? failNthLink : failNth) : path;
  };
  const line = (fields: object): void => {
    lines.push(JSON.stringify({ seq: lines.length, ...fields }));
  };
  for (const segment of trace.segments()) {
    const { ioctl, call } = segment.rows;
    const cursor = { ioctl: 0, call: 0 };
    for (let i = 0; i < segment.count; i++) {
      const t1 = 1000 + 10 * (segment.time[i] ?? 0);
      const when = { ev: 'sys', tid: segment.task[i] ?? 0, t0: t1 - 5, t1 };
      if (segment.stream[i] === STREAM_ID.ioctl) {
        const row = cursor.ioctl++;
        const { columns } = ioctl;
        line({
          ...when,
          pid: columns.pid[row],
          nr: 16,
          sys: 'ioctl',
          args: [hex(columns.fd[row]), hex(columns.request[row]), hex(columns.argLo[row]), '0x0', '0x0', '0x0'],
          ...outcome(columns.errno[row] ?? 0, columns.retLo[row] ?? 0),
          fd: columns.fd[row],
          fdlink: named(columns.path[row] ?? -1, true),
          req: hex(columns.request[row]),
          argp: hex(columns.argLo[row]),
          in: bytes(columns.before, row),
          out: bytes(columns.after, row),
          mem: decodeUserMemory(raw(columns.memory, row)).map((item) => ({
            field: item.field,
            addr: hex(item.addressLo),
            len: item.lengthLo,
            in: item.before === null ? null : text(item.before),
            out: item.after ? text(item.after) : null,
          })),
        });
        continue;
      }
      if (segment.stream[i] !== STREAM_ID.call) continue;
      const row = cursor.call++;
      const { columns } = call;
      if (columns.event[row] === CALL_EVENT.start) {
        line({ ev: 'start', root: columns.pid[row] });
        continue;
      }
      const sys = texts[columns.name[row] ?? -1] ?? '';
      const data = raw(columns.data, row);
      const opens = sys === 'openat' || sys === 'memfd_create';
      const path = named(columns.path[row] ?? -1, !opens);
      const shown = data.length > 0 && (written || sys !== 'pwrite64');
      line({
        ...when,
        pid: columns.pid[row],
        sys,
        args: [columns.a0Lo, columns.a1Lo, columns.a2Lo, columns.a3Lo]
          .map((word) => hex(word[row]))
          .concat('0x0', '0x0'),
        ...outcome(columns.errno[row] ?? 0, columns.retLo[row] ?? 0),
        ...(opens ? { fd: -100, fdlink: '', path } : { fd: columns.fd[row], fdlink: path }),
        ...(shown ? { data: text(data) } : {}),
      });
    }
  }
  return `${lines.join('\n')}\n`;
}

function hex(word: number | undefined): string {
  return `0x${((word ?? 0) >>> 0).toString(16)}`;
}

/** As the library returns it: -1 and errno. */
function outcome(errno: number, ret: number): object {
  return errno > 0 ? { ret: -1, errno } : { ret, errno: 0 };
}

function raw(column: BytesColumn, row: number): Uint8Array {
  return column.data.subarray(column.offsets[row] ?? 0, column.offsets[row + 1] ?? 0);
}

function bytes(column: BytesColumn, row: number): string {
  return text(raw(column, row));
}

function text(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}
