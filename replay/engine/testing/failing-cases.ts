import { BUFFER, BUFFER_BYTES, SCRATCH } from './failing-kernel.ts';
import type { FailingKernel, Step } from './failing-kernel.ts';

/** What a run holds until it is torn down. */
interface Held {
  access: number | undefined;
  pasid: boolean;
  device: number;
}

/** One case of the kernel's fault-injection test: true where every call did its work. */
export type FailingCase = (kernel: FailingKernel, held: Held, arm: () => void) => boolean;

const TEST = 0x3ba0;
const MAKES: readonly Step[] = ['fails', 'absorbed', 'fails'];
/** A device, its binding, a domain: more to fail; a device without a name or a group is refused. */
const DEVICE: readonly Step[] = ['fails', 'fails', 'refuses', 'absorbed', 'fails', 'fails', 'refuses', 'absorbed'];
const READ_WRITE = 6;
const FIXED = 7;

type Words = readonly number[];
const mock = (op: number, id: number, ...words: Words): Words => [
  72,
  op,
  id,
  0,
  ...words,
  ...new Array<number>(14 - words.length).fill(0),
];

function run(kernel: FailingKernel, request: number, words: Words, steps: readonly Step[] = MAKES): Words | undefined {
  const result = kernel.ioctl(request, words, steps);
  return typeof result === 'number' ? undefined : result;
}

const ioasOf = (kernel: FailingKernel): number | undefined => run(kernel, 0x3b81, [12, 0, 0])?.[2];

function mapped(kernel: FailingKernel, ioas: number, bytes: number, iova?: number): number | undefined {
  const flags = iova === undefined ? READ_WRITE : FIXED;
  return run(kernel, 0x3b85, [40, flags, ioas, 0, BUFFER, 0, bytes, 0, iova ?? 0, 0])?.[8];
}

function deviceOf(kernel: FailingKernel, ioas: number, flags?: number): Words | undefined {
  const words = flags === undefined ? mock(2, ioas) : mock(12, ioas, 0, 0, 0, flags);
  return run(kernel, TEST, words, DEVICE);
}

const destroyed = (kernel: FailingKernel, id: number): boolean =>
  run(kernel, 0x3b80, [8, id], ['absorbed']) !== undefined;

function accessOf(kernel: FailingKernel, held: Held, ioas: number, flags: number): boolean {
  held.access = run(kernel, TEST, mock(5, ioas, 0, flags))?.[4];
  return held.access !== undefined;
}

function closed(kernel: FailingKernel, held: Held): void {
  if (held.access !== undefined) kernel.close(held.access, 'anon_inode:[iommufd_test_staccess]');
  held.access = undefined;
}

const setUp = (kernel: FailingKernel): number | undefined => {
  if (!kernel.open()) return undefined;
  const ioas = ioasOf(kernel);
  return ioas !== undefined && run(kernel, TEST, mock(9, 0, 32)) !== undefined ? ioas : undefined;
};

const basic: FailingCase = (kernel, _held, arm) => {
  arm();
  if (!kernel.open()) return false;
  const ioas = ioasOf(kernel);
  if (ioas === undefined) return false;
  const ranges = new Uint8Array(160);
  const list = { field: 'allowed_iovas', address: SCRATCH, bytes: ranges };
  const asked = kernel.ioctl(0x3b84, [32, ioas, 10, 0, SCRATCH, 0, 0, 0], MAKES, [list]);
  if (typeof asked === 'number') return false;
  new Uint32Array(ranges.buffer).set([16 * 1024, 0, BUFFER_BYTES + 16 * 1024 * 600 - 1, 0]);
  const one = { ...list, bytes: ranges.subarray(0, 16) };
  const allowed = kernel.ioctl(0x3b82, [24, ioas, 1, 0, SCRATCH, 0], MAKES, [one]);
  if (typeof allowed === 'number') return false;
  const iova = mapped(kernel, ioas, BUFFER_BYTES);
  if (iova === undefined) return false;
  if (run(kernel, 0x3b83, [40, READ_WRITE, ioas, ioas, 160, 0, 0, 0, iova, 0]) === undefined) return false;
  const unmap = [24, ioas, iova, 0, BUFFER_BYTES, 0];
  if (run(kernel, 0x3b86, unmap, ['absorbed']) === undefined) return false;
  // Nothing is there any more: fails by itself, and goes on.
  run(kernel, 0x3b86, unmap, ['absorbed']);
  return true;
};

/** A domain, memory that is mapped while it is there, another after the first is gone. */
const domainAround =
  (map: (kernel: FailingKernel, ioas: number) => number | undefined): FailingCase =>
  (kernel, _held, arm) => {
    const ioas = setUp(kernel);
    if (ioas === undefined) return false;
    arm();
    const device = deviceOf(kernel, ioas);
    if (device === undefined || map(kernel, ioas) === undefined) return false;
    return destroyed(kernel, device[4] ?? 0) && deviceOf(kernel, ioas) !== undefined;
  };

const mapDomain = domainAround((kernel, ioas) => mapped(kernel, ioas, 262_144));

const mapFileDomain = domainAround(
  (kernel, ioas) => run(kernel, 0x3b8f, [40, READ_WRITE, ioas, kernel.file, 0, 0, 262_144, 0, 0, 0])?.[8],
);

const mapTwoDomains: FailingCase = (kernel, _held, arm) => {
  const ioas = setUp(kernel);
  const first = ioas === undefined ? undefined : deviceOf(kernel, ioas);
  if (ioas === undefined || first === undefined) return false;
  arm();
  const second = deviceOf(kernel, ioas);
  if (second === undefined || mapped(kernel, ioas, 262_144) === undefined) return false;
  if (!destroyed(kernel, first[4] ?? 0) || !destroyed(kernel, second[4] ?? 0)) return false;
  return deviceOf(kernel, ioas) !== undefined && deviceOf(kernel, ioas) !== undefined;
};

const accessRw: FailingCase = (kernel, held, arm) => {
  const ioas = setUp(kernel);
  const iova = ioas === undefined ? undefined : mapped(kernel, ioas, 262_144);
  if (ioas === undefined || iova === undefined) return false;
  arm();
  if (!accessOf(kernel, held, ioas, 0)) return false;
  for (const flags of [0, 1, 4, 5]) {
    const data = { field: 'access_rw.uptr', address: SCRATCH, bytes: new Uint8Array(64) };
    const words = mock(8, held.access ?? 0, iova, 0, 64, 0, SCRATCH, 0, flags);
    if (typeof kernel.ioctl(TEST, words, MAKES, [data]) === 'number') return false;
  }
  // More than one page's worth of pins at once, the slow way.
  const much = { field: 'access_rw.uptr', address: SCRATCH, bytes: new Uint8Array(32_768) };
  const slowly = mock(8, held.access ?? 0, iova, 0, 32_768, 0, SCRATCH, 0, 4);
  if (typeof kernel.ioctl(TEST, slowly, [...MAKES, 'absorbed'], [much]) === 'number') return false;
  closed(kernel, held);
  return true;
};

/** Pins of an access, where a domain has the pages pinned already, and where nobody has. */
const accessPin =
  (withDomain: boolean): FailingCase =>
  (kernel, held, arm) => {
    const ioas = setUp(kernel);
    const device = ioas === undefined || !withDomain ? undefined : deviceOf(kernel, ioas);
    const iova = ioas === undefined ? undefined : mapped(kernel, ioas, BUFFER_BYTES);
    if (ioas === undefined || iova === undefined || !accessOf(kernel, held, ioas, 1)) return false;
    arm();
    const words = mock(7, held.access ?? 0, 0, 0, iova, 0, BUFFER_BYTES, 0, BUFFER, 0);
    const pages = run(kernel, TEST, words, [...MAKES, 'refuses']);
    if (pages === undefined || run(kernel, TEST, mock(6, held.access ?? 0, pages[5] ?? 0)) === undefined) return false;
    closed(kernel, held);
    return device === undefined || destroyed(kernel, device[4] ?? 0);
  };

const APERTURE = 0x100_0000;

/** Two IOASes that map the same page of the aperture. */
function twoIoases(kernel: FailingKernel): readonly [number, number] | undefined {
  if (!kernel.open()) return undefined;
  const [first, second] = [ioasOf(kernel), ioasOf(kernel)];
  if (first === undefined || second === undefined) return undefined;
  for (const ioas of [first, second]) if (mapped(kernel, ioas, 4096, APERTURE) === undefined) return undefined;
  return [first, second];
}

function infoOf(kernel: FailingKernel, device: number): boolean {
  const info = { field: 'data_uptr', address: SCRATCH, bytes: new Uint8Array(8) };
  return typeof kernel.ioctl(0x3b8a, [40, 0, device, 8, SCRATCH, 0, 0, 0, 0, 0], MAKES, [info]) !== 'number';
}

/** As kernels before PASIDs and vIOMMUs test it: a HWPT, and a device that is moved between it and an IOAS. */
const deviceReplace: FailingCase = (kernel, _held, arm) => {
  const [first, second] = twoIoases(kernel) ?? [];
  if (first === undefined || second === undefined) return false;
  arm();
  const [, , , , made, , idev] = deviceOf(kernel, first) ?? [];
  if (made === undefined || idev === undefined || !infoOf(kernel, idev)) return false;
  const hwpt = run(kernel, 0x3b89, [48, 0, idev, first, 0, 0, 0, 0, 0, 0, 0, 0])?.[4];
  if (hwpt === undefined || run(kernel, TEST, mock(10, made, second)) === undefined) return false;
  return run(kernel, TEST, mock(10, made, hwpt)) !== undefined;
};

const device: FailingCase = (kernel, held, arm) => {
  const [first, second] = twoIoases(kernel) ?? [];
  if (first === undefined || second === undefined) return false;
  arm();
  const made = deviceOf(kernel, first, 4);
  if (made === undefined) return false;
  held.device = made[4] ?? 0;
  const idev = made[6] ?? 0;
  if (!infoOf(kernel, idev)) return false;
  const hwptOf = (flags: number): number | undefined =>
    run(kernel, 0x3b89, [48, flags, idev, first, 0, 0, 0, 0, 0, 0, 0, 0])?.[4];
  const hwpt = hwptOf(8);
  if (hwpt === undefined) return false;
  for (const target of [second, hwpt]) if (run(kernel, TEST, mock(10, held.device, target)) === undefined) return false;
  const parent = hwptOf(9);
  if (parent === undefined) return false;
  const viommu = run(kernel, 0x3b90, [40, 0, 0xdead_beef, idev, parent, 0, 0, 0, 0, 0])?.[5];
  if (viommu === undefined || run(kernel, 0x3b91, [24, viommu, idev, 0, 0x99, 0]) === undefined) return false;
  if (run(kernel, 0x3b94, [40, 0, viommu, 0xdead_beef, 0, 0, APERTURE, 0, 4096, 0]) === undefined) return false;
  const fault = run(kernel, 0x3b8e, [16, 0, 0, 0]);
  if (fault === undefined) return false;
  kernel.close(fault[3] ?? 0, 'anon_inode:[iommufd-pgfault]');
  const events = run(kernel, 0x3b93, [32, 0, viommu, 0xbeef_beef, 2, 0, 0, 0]);
  if (events === undefined) return false;
  kernel.close(events[6] ?? 0, 'anon_inode:[iommufd-viommu-event]');
  const other = hwptOf(8);
  if (other === undefined) return false;
  if (run(kernel, TEST, mock(18, held.device, 200, hwpt)) === undefined) return false;
  held.pasid = true;
  // Its result is not looked at.
  run(kernel, TEST, mock(19, held.device, 200, other));
  if (run(kernel, TEST, mock(20, held.device, 200), ['absorbed']) === undefined) return false;
  held.pasid = false;
  return true;
};

export const FAILING_CASES: Readonly<Record<string, FailingCase>> = {
  basic,
  'map into a domain': mapDomain,
  'map a file into a domain': mapFileDomain,
  'map two domains': mapTwoDomains,
  'access, read and write': accessRw,
  'access, pins': accessPin(false),
  'access, pins and a domain': accessPin(true),
  'device, attach and replace': deviceReplace,
  device,
};

/** Runs a case once whole and then again and again, each time failing one point later, until there is nothing left to fail. */
export function sweep(kernel: FailingKernel, test: FailingCase): number {
  for (let nth = 0; ; nth++) {
    const held: Held = { access: undefined, pasid: false, device: 0 };
    test(kernel, held, () => {
      if (nth > 0) kernel.arm(nth);
    });
    const came = nth === 0 || kernel.disarm();
    tearDown(kernel, held);
    if (!came) return nth;
  }
}

/** Nothing is armed any more; afterwards no page of the buffer may be pinned. */
function tearDown(kernel: FailingKernel, held: Held): void {
  if (kernel.calls.iommufd >= 0 && held.pasid) run(kernel, TEST, mock(20, held.device, 200));
  closed(kernel, held);
  if (kernel.calls.iommufd >= 0) kernel.close(kernel.calls.iommufd, '/dev/iommu');
  kernel.open();
  const checked = run(kernel, TEST, mock(4, 0, BUFFER_BYTES, 0, BUFFER, 0, 0));
  if (checked === undefined) throw new Error('pages are still pinned');
  kernel.close(kernel.calls.iommufd, '/dev/iommu');
}
