import { describe, expect, test } from 'vitest';
import { INV_FORM, OUTCOME, RESET } from '../../../traces/schema.ts';
import { readLog } from '../testing/read-log-lines.ts';

const UPDATE = 'amdvi_cache_update  update iotlb domid 0xa devid: 00:07.0 gpa 0x1015b0000 hpa 0x109e00000';
const UPDATED = 'amdvi_translation_result devid: 00:07.0 gpa 0x1015b0000 hpa 0x109e00000';
const HIT = 'amdvi_iotlb_hit hit iotlb devid 00:07.0 gpa 0x1015b0800 hpa 0x109e00000';
const RESULT = 'amdvi_translation_result devid: 00:07.0 gpa 0x1015b0800 hpa 0x109e00000';
const RESET_LINE = 'amdvi_iotlb_reset IOTLB exceed size limit - reset ';

function outcomes(...lines: string[]): unknown[] {
  return readLog(lines)
    .of('dma')
    .map(({ outcome }) => outcome);
}

describe('translations', () => {
  test('updates and hits are accesses, their results part of them', () => {
    const { events, facts, of } = readLog([UPDATE, UPDATED, HIT, RESULT]);
    expect(events.map(({ stream }) => stream)).toEqual(['attach', 'dma', 'dma']);
    expect(of('attach')).toMatchObject([{ device: 0x38, domain: 10 }]);
    const common = { rid: 0x38, domain: 10, out: 0x109e00000n, pageShift: 0 };
    expect(of('dma')).toMatchObject([
      { ...common, iova: 0x1015b0000n, outcome: OUTCOME.known },
      { ...common, iova: 0x1015b0800n, outcome: OUTCOME.known | OUTCOME.hit },
    ]);
    expect(facts).toMatchObject({ events: 2, folded: 2 });
  });

  test('without results, without hits', () => {
    expect(outcomes(UPDATE, HIT)).toEqual([1, 3]);
    expect(outcomes(UPDATE, UPDATED, RESULT)).toEqual([1, 3]);
    expect(outcomes(UPDATE, UPDATED, HIT, RESULT, RESULT)).toEqual([1, 3, 0]);
  });

  test('results that come late, and results that say something else', () => {
    const other = UPDATE.replace('00:07.0', '00:06.0');
    expect(outcomes(UPDATE, 'amdvi_intr_inval Interrupt table invalidated', UPDATED)).toEqual([1]);
    expect(outcomes(UPDATE, UPDATED.replace('0x109e00000', '0x1'))).toEqual([OUTCOME.known | OUTCOME.inconsistent]);
    expect(outcomes(other, UPDATE, UPDATED)).toEqual([1, 1]);
  });

  test('the cache is emptied behind the update that finds it full', () => {
    expect(outcomes(UPDATE, RESET_LINE, UPDATED)).toEqual([OUTCOME.known | OUTCOME.reset]);
  });

  test('faults', () => {
    const { of } = readLog([
      'amdvi_generate_msi_interrupt Mode: MSI',
      'amdvi_page_fault error: page fault accessing guest physical address 0x900000004',
      'amdvi_translation_result devid: 00:07.0 gpa 0x900000004 hpa 0x0',
    ]);
    expect(of('fault')).toMatchObject([{ rid: 0x38, iova: 0x900000004n, reason: 2 }]);
    expect(of('dma')).toMatchObject([{ rid: 0x38, iova: 0x900000004n, outcome: OUTCOME.fault | OUTCOME.known }]);
    const silent = readLog(['amdvi_translation_result devid: 00:07.0 gpa 0x900000004 hpa 0x0']);
    expect(silent.of('dma')).toMatchObject([{ outcome: OUTCOME.fault | OUTCOME.known }]);
    const alone = readLog(['amdvi_page_fault error: page fault accessing guest physical address 0x900000004']);
    expect(alone.of('fault')).toMatchObject([{ rid: -1, iova: 0x900000004n }]);
  });

  test('a device that is passed through', () => {
    expect(outcomes('amdvi_translation_result devid: 00:06.0 gpa 0x1040 hpa 0x1000')).toEqual([OUTCOME.bypass]);
  });
});

describe('commands', () => {
  test('in the words that their fields make', () => {
    const { of } = readLog([
      'amdvi_pages_inval AMD-Vi pages for domain 0xa invalidated',
      'amdvi_devtab_inval device table entry for devid: 00:07.0 invalidated',
      'amdvi_completion_wait completion wait requested with store address 0x1021c4000 and store data 0x54',
      'amdvi_intr_inval Interrupt table invalidated',
      'amdvi_iotlb_inval IOTLB pages invalidated',
      'amdvi_all_inval Invalidation of all AMD-Vi cache requested ',
    ]);
    expect(of('inv').map(({ form, w0, w1 }) => [form, w0, w1])).toEqual([
      [INV_FORM.decoded, 0x3000000a00000000n, 0x7ffffffffffff001n],
      [INV_FORM.decoded, 0x2000000000000038n, 0n],
      [INV_FORM.decoded, 0x10000001021c4001n, 0x54n],
      [INV_FORM.decoded, 0x5000000000000000n, 0n],
      [INV_FORM.decoded, 0x4000000000000000n, 0x7ffffffffffff001n],
      [INV_FORM.decoded, 0x8000000000000000n, 0n],
    ]);
  });

  test('registers', () => {
    const { of, facts } = readLog([
      'amdvi_mmio_write AMDVI_MMIO_COMMAND_BASE write addr 0x8, size 8, val 0x900000010223800, offset 0x0',
      'amdvi_mmio_write AMDVI_MMIO_CONTROL write addr 0x18, size 8, val 0x31483, offset 0x0',
      'amdvi_mmio_write AMDVI_MMIO_CONTROL write addr 0x18, size 8, val 0x31481, offset 0x0',
      'amdvi_mmio_write AMDVI_MMIO_COMMAND_TAIL write addr 0x2008, size 4, val 0x960, offset 0x0',
      'amdvi_mmio_write AMDVI_MMIO_EVENT_HEAD write addr 0x2010, size 8, val 0x10, offset 0x0',
    ]);
    expect(of('inv').map(({ form, w0, w1, w2 }) => [form, w0, w1, w2])).toEqual([
      [INV_FORM.reset, BigInt(RESET.queueSetup), 0x10223000n, 512n],
      [INV_FORM.reset, BigInt(RESET.translationEnabled), 0n, 0n],
      [INV_FORM.doorbell, 0x96n, 0n, 0n],
    ]);
    expect(facts.events).toBe(3);
  });

  test('the cache is emptied by the command logged next, or by the reset of the unit', () => {
    const { of, facts } = readLog([
      RESET_LINE,
      RESET_LINE,
      'amdvi_all_inval Invalidation of all AMD-Vi cache requested ',
    ]);
    expect(of('inv').map(({ form }) => form)).toEqual([INV_FORM.reset, INV_FORM.decoded]);
    expect(facts).toMatchObject({ events: 2, folded: 1 });
  });

  test('lines about the remapping of interrupts are counted as such', () => {
    const { facts, health } = readLog([
      UPDATE,
      'amdvi_ir_remap_msi_req addr 0xfee00000 data 0x20 devid 0x38',
      'amdvi_mem_ir_write addr 0xfee00000 data 0x20',
      'vtd_ir_enable enable 1',
    ]);
    expect(facts.notes).toMatchObject({ interruptRemappingLines: 3 });
    expect(health).toMatchObject({ ignored: 3, unknown: 0, malformed: 0 });
  });

  test('lines that are cut, and events of another kind', () => {
    const { health } = readLog([
      UPDATE,
      'amdvi_pages_inval AMD-Vi pages for domain 0x12345 invalidated',
      'amdvi_devtab_inval device table entry for devid: 00:20.0 invalidated',
      'amdvi_cache_update  update iotlb domid 0xa devid: 00:07.0 gpa 0x1015b0000 hpa',
      'amdvi_brand_new 1',
    ]);
    expect(health).toMatchObject({ malformed: 3, unknown: 1 });
  });
});
