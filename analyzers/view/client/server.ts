import { decode } from '@msgpack/msgpack';
import type { EventMessage, RowsMessage, WindowMessage } from '../view-messages.ts';

/** Asks the server that the page came from. Undefined where it has no such thing, or is gone. */
async function ask(path: string, signal?: AbortSignal): Promise<unknown> {
  try {
    const response = await fetch(path, signal === undefined ? {} : { signal });
    if (!response.ok) return undefined;
    return decode(new Uint8Array(await response.arrayBuffer()));
  } catch {
    return undefined;
  }
}

export async function askWindow(
  from: number,
  to: number,
  bins: number,
  signal: AbortSignal,
): Promise<WindowMessage | undefined> {
  return (await ask(`window?from=${from}&to=${to}&bins=${bins}`, signal)) as WindowMessage | undefined;
}

export async function askRows(from: number, count: number): Promise<RowsMessage | undefined> {
  return (await ask(`rows?from=${from}&count=${count}`)) as RowsMessage | undefined;
}

export async function askEvent(event: number): Promise<EventMessage | undefined> {
  return (await ask(`event?n=${event}`)) as EventMessage | undefined;
}

/** Numbers of a byte string, wherever it lies. */
export function countsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}
