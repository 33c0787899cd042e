import { errnoName } from '../traces/errno-names.ts';
import type { PlainEvent } from '../traces/event.ts';
import { ioctlName } from '../traces/ioctl-requests.ts';
import { CALL_EVENT, CALL_EVENT_NAMES, SEEN } from '../traces/schema.ts';
import { decodeMappings, decodeUserMemory } from '../traces/user-memory.ts';
import { printable } from './report/escape.ts';
import { formatNs, formatNumberOf } from './report/format-units.ts';

/** How `cat` shows system calls: like strace, with the bytes of structs. */

/** Bytes of a struct or a buffer that are shown. */
const SHOWN_BYTES = 48;

function number(event: PlainEvent, column: string): number {
  const value = event.fields[column];
  return typeof value === 'number' ? value : 0;
}

function long(event: PlainEvent, column: string): bigint {
  const value = event.fields[column];
  return typeof value === 'bigint' ? value : 0n;
}

function bytes(event: PlainEvent, column: string): Uint8Array {
  const value = event.fields[column];
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

function hex(value: Uint8Array): string {
  const text = Buffer.from(value.subarray(0, SHOWN_BYTES)).toString('hex');
  return value.length > SHOWN_BYTES ? `${text}... (${value.length} bytes)` : text;
}

function file(event: PlainEvent): string {
  const { path } = event.fields;
  const kind = typeof path === 'string' ? ` ${printable(path)}` : '';
  const fd = number(event, 'fd');
  return fd === -1 ? `?${kind}` : `${fd}${kind}`;
}

function result(event: PlainEvent): string {
  const errno = number(event, 'errno');
  if (errno === -1) return '?';
  if (errno > 0) return `-1 ${errnoName(errno)}`;
  const ret = BigInt.asIntN(64, long(event, 'ret'));
  return ret > 0xffffn ? `0x${ret.toString(16)}` : String(ret);
}

function duration(event: PlainEvent): string {
  const ns = long(event, 'duration');
  return ns === 0n ? '' : `, ${formatNs(Number(ns))}`;
}

function memory(event: PlainEvent): string {
  const items = decodeUserMemory(bytes(event, 'memory')).map(({ field, before, after }) => {
    const was = before === null ? 'unreadable' : hex(before);
    return `${printable(field)} ${after === before || !after ? was : `${was} -> ${hex(after)}`}`;
  });
  return items.map((item) => `; ${item}`).join('');
}

export function ioctlText(event: PlainEvent): string {
  const seen = number(event, 'seen');
  const before = bytes(event, 'before');
  const after = bytes(event, 'after');
  const path = event.fields['path'];
  const name = ioctlName(number(event, 'request'), typeof path === 'string' ? path : undefined, before);
  let struct = '';
  if ((seen & SEEN.unreadable) !== 0) struct = '; struct unreadable';
  else if ((seen & SEEN.before) !== 0) struct = `; ${hex(before)}`;
  if ((seen & SEEN.after) !== 0 && Buffer.compare(before, after) !== 0) struct += ` -> ${hex(after)}`;
  const argument = (seen & SEEN.argument) === 0 ? '' : `, 0x${long(event, 'arg').toString(16)}`;
  return `${name}(${file(event)}${argument}) = ${result(event)}${duration(event)}${struct}${memory(event)}`;
}

export function callText(event: PlainEvent): string {
  const name = printable(String(event.fields['name'] ?? '?'));
  const ret = BigInt.asIntN(64, long(event, 'ret'));
  switch (number(event, 'event')) {
    case CALL_EVENT.syscall: {
      const args = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5'].map((column) => `0x${long(event, column).toString(16)}`);
      while (args.length > 0 && args.at(-1) === '0x0') args.pop();
      const { path } = event.fields;
      const on = typeof path === 'string' ? `, ${printable(path)}` : '';
      const data = bytes(event, 'data');
      const contents = data.length === 0 ? '' : `; ${hex(data)}`;
      return `${name}(${args.join(', ')}) = ${result(event)}${on}${duration(event)}${contents}${memory(event)}`;
    }
    case CALL_EVENT.fork:
      return `${name}: process ${number(event, 'pid')} made ${ret}`;
    case CALL_EVENT.exit:
      return `exit with status ${ret}`;
    case CALL_EVENT.signal:
      return `signal ${ret}`;
    case CALL_EVENT.maps:
      return `user memory of ${formatNumberOf(decodeMappings(bytes(event, 'data')).length, 'mapping')}`;
    default:
      return CALL_EVENT_NAMES[number(event, 'event')] ?? name;
  }
}
