/** PCI functions behind an IOMMU, by whether they can send page requests. */
export interface RequestDevices {
  readonly able: number;
  /** Without ATS or PRI. */
  readonly unable: number;
}

/** What a live recording's header tells of its machine; null where it says nothing of ATS and PRI. */
export function requestDevices(machine: object | undefined): RequestDevices | null {
  const devices = member(machine, 'devices');
  if (!Array.isArray(devices)) return null;
  let able = 0;
  let unable = 0;
  for (const device of devices as readonly unknown[]) {
    const capabilities = member(device, 'capabilities');
    if (typeof member(device, 'group') !== 'number' || typeof capabilities !== 'object' || capabilities === null)
      continue;
    if (has(capabilities, 'ats') && has(capabilities, 'pri')) able++;
    else unable++;
  }
  return able + unable === 0 ? null : { able, unable };
}

function has(capabilities: object, name: string): boolean {
  const value = member(capabilities, name);
  return typeof value === 'object' && value !== null;
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? (of as { readonly [name: string]: unknown })[name] : undefined;
}
