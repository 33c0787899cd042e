import { FORMAT_VERSION } from '../header.ts';
import type { TraceHeader } from '../header.ts';

/** The header of a trace that a test makes; only what the test is about has to be said. */
export function testHeader(said: Partial<TraceHeader> = {}): TraceHeader {
  return {
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [{ format: 'test', producer: 'test' }],
    host: {},
    clock: { epochNs: '0', name: 'mono', resolutionNs: 1 },
    fidelity: {},
    ...said,
  };
}
