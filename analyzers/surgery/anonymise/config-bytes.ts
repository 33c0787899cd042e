import { CONFIG_BYTES, PASID, readConfigSpaces } from '../../../replay/engine/config-spaces.ts';
import type { ConfigRead, ConfigSpace } from '../../../replay/engine/config-spaces.ts';
import type { Trace } from '../../../traces/trace.ts';

/** By file, 1 for each byte of a device's config space that stays. */
export type ConfigBytes = ReadonlyMap<string, Uint8Array>;

/**
 * What says which model a device is and what it can do: its ids, the list of its capabilities, how many PASIDs it has. Addresses (BARs,
 * messages of interrupts) and serial numbers are among the others.
 */
export function configBytes(trace: Trace): ConfigBytes {
  if (trace.streamCounts.call === 0) return new Map();
  return new Map([...readConfigSpaces(trace)].map(([file, space]) => [file, keptBytes(space)]));
}

function keptBytes(space: ConfigSpace): Uint8Array {
  const kept = new Uint8Array(CONFIG_BYTES).fill(1, 0, 4);
  for (const { id, offset } of space.capabilityHeaders().starts) {
    kept.fill(1, offset, offset + (id === PASID.id ? PASID.bytes : 4));
  }
  return kept;
}

/** Runs of a read's bytes that do not stay. `data`: those of the row, or its copy. */
export function* otherBytes({ file, at }: ConfigRead, data: Uint8Array, config: ConfigBytes): Generator<Uint8Array> {
  const kept = config.get(file);
  for (let from = 0, to = 0; from < data.length; from = to + 1) {
    for (to = from; to < data.length && kept?.[at + to] !== 1; to++);
    if (to > from) yield data.subarray(from, to);
  }
}
