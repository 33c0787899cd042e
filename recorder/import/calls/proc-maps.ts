import { MAPPING, MAPPING_PROT } from '../../../traces/user-memory.ts';
import type { UserMapping } from '../../../traces/user-memory.ts';
import { parseHexWords } from './words.ts';

/** `7ffd384e9000-7ffd3850a000 rw-p 00000000 00:00 0        [stack]` (proc(5), maps). */
const LINE =
  /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-])([w-])([x-])([sp]) ([0-9a-f]{1,16}) [0-9a-f]+:[0-9a-f]+ \d+ *(.*)$/;

/** A line of /proc/PID/maps; undefined for any other text. The name says only whether it is the heap, the stack, a file. */
export function parseProcMapsLine(line: string): UserMapping | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, from = '', to = '', read, write, execute, share, at = '', name = ''] = match;
  const start = parseHexWords(from);
  const end = parseHexWords(to);
  const offset = parseHexWords(at);
  if (start === undefined || end === undefined || offset === undefined) return undefined;
  return {
    startLo: start.lo,
    startHi: start.hi,
    endLo: end.lo,
    endHi: end.hi,
    offsetLo: offset.lo,
    offsetHi: offset.hi,
    prot:
      (read === 'r' ? MAPPING_PROT.read : 0) |
      (write === 'w' ? MAPPING_PROT.write : 0) |
      (execute === 'x' ? MAPPING_PROT.execute : 0),
    flags: (share === 's' ? MAPPING.shared : 0) | kindOf(name),
  };
}

function kindOf(name: string): number {
  if (name === '') return 0;
  if (name === '[heap]') return MAPPING.heap;
  if (name === '[stack]') return MAPPING.stack;
  if (name.startsWith('[anon')) return 0;
  return name.startsWith('[') ? MAPPING.special : MAPPING.file;
}
