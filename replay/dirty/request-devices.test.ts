import { expect, test } from 'vitest';
import { requestDevices } from './request-devices.ts';

const pri = { enabled: false, outstanding: 32 };

test('counts functions behind an IOMMU whose config space was read', () => {
  const devices = [
    { group: 1, capabilities: { ats: {}, pri, pasid: null } },
    { group: 2, capabilities: { ats: {}, pri: null } },
    { group: 3, capabilities: { ats: null, pri: null } },
    { group: 4, capabilities: null },
    { group: null, capabilities: { ats: {}, pri } },
    null,
    'no device',
  ];
  expect(requestDevices({ devices })).toEqual({ able: 1, unable: 2 });
});

test.each([undefined, {}, { devices: 7 }, { devices: [] }, { devices: [{ group: 1 }] }])(
  '%j tells nothing',
  (machine) => {
    expect(requestDevices(machine)).toBeNull();
  },
);
