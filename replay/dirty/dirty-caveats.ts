import type { DirtyMethodOptions } from './dirty-method.ts';
import type { NamedMethod } from './dirty-methods.ts';
import type { DirtyRow } from './dirty-result.ts';
import type { HarvestTables } from './harvest-tables.ts';
import { leafName } from './harvest-tables.ts';
import type { RequestDevices } from './request-devices.ts';
import { OPERATION } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';

/** What the figures of a comparison rest on. */
export interface DirtyFacts {
  readonly stream: WriteStream;
  readonly tables: HarvestTables;
  readonly methods: readonly NamedMethod[];
  readonly rows: readonly DirtyRow[];
  readonly options: DirtyMethodOptions;
  /** Of the recorded machine; null where nothing is known. */
  readonly devices: RequestDevices | null;
}

/** Sentences about what limits the figures. */
export function dirtyCaveats({ stream, tables, methods, rows, options, devices }: DirtyFacts): readonly string[] {
  const caveats: string[] = [];
  if (stream.source === 'ram') {
    caveats.push(
      'writes of processors by RAM address, used as if a device had written them through an identity map',
      'QEMU logs the first write to a page after it became clean: where harvests come more often than QEMU synchronised, pages are dirty again more often than harvests here say; migrations get the hidden writes at the rate of those that were seen',
    );
  } else if (methods.some(({ method }) => method.sets === 'fault')) {
    caveats.push(
      'write-protection of devices presumes that they can fault and go on: dirty.device-fault is the time of one',
    );
  }
  if (methods.some(({ method }) => method.sets === 'page-request')) {
    caveats.push(...requestCaveats(options, devices));
  }
  if (stream.assumed > 0) {
    caveats.push(
      `the source does not say whether ${stream.assumed} accesses read or write: those that may write count as writes, so that all is an upper bound`,
    );
  }
  caveats.push('leaf sizes are a what-if: memory maps to itself, so that any size fits where the mapped range has it');
  for (const { name, method, value } of methods.filter((row) => row.method.sets === 'hardware')) {
    const leaf = 2 ** method.untrackedLeaf(value);
    if (rows.some((row) => row.name === name) && leaf > largestRun(stream)) {
      caveats.push(
        `${name}: no mapped range holds a leaf of ${leafName(method.untrackedLeaf(value))}: smaller ones were used, and nothing larger is planned`,
      );
    }
  }
  for (const trouble of new Set(methods.flatMap(({ method }) => method.misses(options) ?? []))) {
    caveats.push(`methods can miss writes: ${trouble}`);
  }
  if (rows.some(({ stallNs }) => stallNs > (stream.endNs - stream.startNs) / 10)) {
    caveats.push(
      'writers wait for more than a tenth of the time: with such stalls they would write less than the trace shows',
    );
  }
  const slow = rows
    .filter(({ series, threads }) => (threads[0]?.worstNs ?? 0) > usualGap(series.t))
    .map(({ name }) => name);
  if (slow.length > 0) {
    caveats.push(
      `harvests of ${slow.join(', ')} take longer than the time between them: such a method could not keep up; --set dirty.interval takes ms`,
    );
  }
  if (tables.caveat !== undefined && options.flush && !options.contiguousDefect) caveats.push(tables.caveat);
  const repeats = Math.max(0, ...rows.flatMap(({ threads }) => threads.map(({ migration }) => migration.repeats)));
  if (repeats > 0) {
    caveats.push(`a migration takes longer than the trace, whose writes were repeated up to ${repeats} times`);
  }
  if (rows.some(({ threads }) => threads.some(({ migration }) => migration.throttle > 0))) {
    caveats.push('a throttle slows all writes of the trace alike, also those of devices');
  }
  if (stream.held.length > 0) {
    caveats.push(
      'the recorded migration held its writers back: migrations here play them as fast as they would have been',
    );
  }
  if (stream.ignored > 0) {
    caveats.push(`${stream.ignored} accesses were refused, or belong to no domain that is mapped, and are left out`);
  }
  caveats.push('walks are counted without paging-structure caches: the time of added IOTLB misses is an upper bound');
  return caveats;
}

/** What has to be there for dirty pages to be logged by page requests. */
function requestCaveats({ hardware }: DirtyMethodOptions, devices: RequestDevices | null): readonly string[] {
  const caveats = [
    'pri-log: no kernel logs dirty pages by page requests yet, and nobody published the parts of their time: what they take is assumed (pri.*)',
    'pri-log is for devices with ATS and PRI alone: to others a write to a protected page is an error that ends their transfer',
  ];
  if (devices !== null && devices.unable > 0) {
    caveats.push(
      `pri-log: of the recorded machine's PCI functions behind an IOMMU ${devices.able} have ATS and PRI, and ${devices.unable} have not`,
    );
  }
  if (hardware.architecture === 'smmuv3') {
    caveats.push(
      'pri-log: Linux 7.2 denies all requests of the PRI queue of an SMMUv3; its stalls would take their place',
    );
  }
  if (hardware.architecture === 'virtio') {
    caveats.push('pri-log: virtio-iommu has no page requests; the figures are of a unit that has them');
  }
  return caveats;
}

/** Median time between harvests; infinite where there are no two. */
function usualGap(times: readonly number[]): number {
  const gaps = times.slice(1).map((at, i) => at - times[i]!);
  return gaps.length === 0 ? Number.POSITIVE_INFINITY : gaps.sort((a, b) => a - b)[gaps.length >> 1]!;
}

/** Bytes of the largest mapping; an upper bound of what a leaf can be. */
export function largestRun(stream: WriteStream): number {
  const ends = new Map<number, number>();
  const sizes = new Map<number, number>();
  let most = 0;
  for (let i = 0; i < stream.length; i++) {
    if (stream.kind[i] !== OPERATION.map) continue;
    const space = stream.space[i]!;
    const page = stream.page[i]!;
    const pages = stream.count[i]!;
    const size = (ends.get(space) === page ? (sizes.get(space) ?? 0) : 0) + pages;
    ends.set(space, page + pages);
    sizes.set(space, size);
    most = Math.max(most, size * 4096);
  }
  return most;
}
