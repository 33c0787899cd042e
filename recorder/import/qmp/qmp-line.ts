/** One message between QEMU and its management. */
export interface QmpLine {
  /** Since 1970, when the message was written to the log. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly message: { readonly [name: string]: unknown };
}

//   1795326927.706594 > {"execute": "query-migrate"}
//   1795326927.707455 {"return": {"status": "active", ...}}
const LINE = /^(\d{1,11})\.(\d{1,9}) (?:[<>] )?(\{.*\})$/;
/** Members that messages have (QEMU, docs/interop/qmp-spec.rst). */
const MEMBERS = ['execute', 'exec-oob', 'return', 'error', 'event', 'QMP'] as const;

/** Undefined where the line is none of a log of QMP. */
export function parseQmpLine(line: string): QmpLine | undefined {
  const match = LINE.exec(line.trimEnd());
  if (match === null) return undefined;
  const [, seconds = '', fraction = '', text = ''] = match;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null || !MEMBERS.some((name) => Object.hasOwn(message, name))) {
    return undefined;
  }
  return {
    seconds: Number(seconds),
    nanoseconds: Number(fraction.padEnd(9, '0')),
    message: message as Record<string, unknown>,
  };
}

/** `11.1.3` of a greeting: `{"QMP": {"version": {"qemu": {"micro": 3, "minor": 1, "major": 11}, ...}, ...}}`. */
export function qmpVersion(message: QmpLine['message'] | undefined): string | undefined {
  const greeting = message?.['QMP'] as { readonly version?: { readonly qemu?: Record<string, unknown> } } | undefined;
  const version = greeting?.version?.qemu ?? {};
  const parts = [version['major'], version['minor'], version['micro']].filter((part) => typeof part === 'number');
  return parts.length === 3 ? parts.join('.') : undefined;
}
