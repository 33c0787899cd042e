import { describe, expect, test } from 'vitest';
import { INV_FORM, OUTCOME, RESET } from '../../traces/schema.ts';
import { qemuLog } from './qemu-log.ts';
import { DEVICE_MODELS } from './qemu/device-models.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

function read(lines: readonly string[]): ReadImport {
  return readImport(qemuLog, lines, { file: 'q' });
}

const ON = 'vtd_dmar_enable enable 1';
const HIT = 'vtd_iotlb_page_hit IOTLB page hit sid 0x18 iova 0xffffda44 slpte 0x10efd3003 domain 0x4';
const UPDATE = 'vtd_iotlb_page_update IOTLB page update sid 0x18 iova 0xffffda44 slpte 0x10efd3003 domain 0x4';
const RESET_LINE = 'vtd_iotlb_reset IOTLB reset (reason: iotlb exceeds size limit)';
const TRANSLATE = 'vtd_dmar_translate dev 00:03.00 iova 0xffffd000 -> gpa 0x10efd3000 mask 0xfff';

function outcomes(lines: readonly string[]): unknown[] {
  return read(lines)
    .events.filter(({ stream }) => stream === 'dma')
    .map(({ fields }) => fields['outcome']);
}

describe('the device models', () => {
  test('have different prefixes, and none begins like another', () => {
    const all = DEVICE_MODELS.flatMap(({ prefixes }) => prefixes);
    for (const prefix of all) {
      // up to a word's end, or the whole name of one event
      expect(prefix).toMatch(/^[a-z0-9_]+$/);
      expect(all.filter((other) => other.startsWith(prefix))).toEqual([prefix]);
    }
  });
});

describe('prefixes', () => {
  test('ISO time stamps, with and without a fraction, over midnight', () => {
    const { header, events } = read([
      `2026-11-22T23:59:58.625086Z ${ON}`,
      `2026-11-22T23:59:59Z ${ON}`,
      `2026-11-23T00:00:00.000001Z ${ON}`,
    ]);
    expect(header.clock).toEqual({ epochNs: '1795391998625086000', name: 'realtime', resolutionNs: 1000 });
    expect(events.map(({ time }) => time)).toEqual([0, 374_914_000, 1_374_915_000]);
  });

  test('thread and time', () => {
    const { header, events } = read([`18013@1795327572.161096:${ON}`, `18014@1795327573.000000:${ON}`]);
    expect(header.clock.epochNs).toBe('1795327572161096000');
    expect(events.map(({ time, task }) => [time, task])).toEqual([
      [0, 18013],
      [838_904_000, 18014],
    ]);
  });

  test('no time stamps: the order of the lines', () => {
    const { header, events, facts } = read([ON, 'vtd_inv_qi_fetch ', ON]);
    expect(header.clock).toMatchObject({ epochNs: '0', resolutionNs: 0 });
    expect(events.map(({ time }) => time)).toEqual([1, 3]);
    expect(facts.notes['times']).toMatch(/no time stamps/);
  });

  test('a time stamp behind the line before it does not turn time around', () => {
    const { events, facts } = read([`18013@5.000001:${ON}`, `18013@5.000009:${ON}`, `18014@5.000004:${ON}`]);
    expect(events.map(({ time }) => time)).toEqual([0, 8000, 8000]);
    expect(facts.notes).toEqual({ timesBehindThePreviousLine: 1 });
  });

  test.each([
    'qemu-system-x86_64: warning: host does not support requested feature',
    'char device redirected to /dev/pts/3 (label serial0)',
    '2026-11-22T05:34:58.625086 vtd_reset_exit ',
    '2026-13-22T05:34:58.625086Z vtd_reset_exit ',
    '2026-11-22T05:34:58.Z vtd_reset_exit ',
    '2026-11-22T05:34:58.625086Zvtd_reset_exit ',
    '18013@1795327572:vtd_reset_exit ',
    '18013@.161096:vtd_reset_exit ',
    '99999999999@1.161096:vtd_reset_exit ',
    '2026-',
    '5',
  ])('%s is malformed', (line) => {
    const { facts, health } = read([line]);
    expect([facts.events, health.malformed]).toEqual([0, 1]);
  });

  test('events of other devices are unknown by name', () => {
    const { health } = read(['virtio_blk_req_complete vdev 0x55d req 0x7f4 status 0', 'vtd_ir_remap x']);
    expect(health.entries.map(({ kind, name }) => [kind, name])).toEqual([
      ['unknown', 'virtio_blk_req_complete'],
      ['ignored', 'vtd_ir_remap'],
    ]);
  });
});

describe('translations', () => {
  test('a miss has its line, and the exact address of it', () => {
    const { events } = read([ON, UPDATE, TRANSLATE]);
    expect(events[1]).toMatchObject({
      stream: 'dma',
      fields: {
        rid: 0x18,
        pasid: -1,
        domain: 4,
        iova: 0xffffda44n,
        out: 0x10efd3000n,
        outcome: OUTCOME.known,
        pageShift: 12,
        perm: 3,
      },
    });
  });

  test('hits where they are logged', () => {
    expect(outcomes([ON, UPDATE, TRANSLATE, HIT, TRANSLATE])).toEqual([OUTCOME.known, OUTCOME.known | OUTCOME.hit]);
  });

  test('hits where they are not: a translation without an update', () => {
    const { events } = read([ON, UPDATE, TRANSLATE, TRANSLATE]);
    expect(events[2]?.fields).toMatchObject({
      outcome: OUTCOME.known | OUTCOME.hit,
      domain: -1,
      perm: -1,
      iova: 0xffffd000n,
    });
  });

  test('a hit whose line is missing in a log of hits is not guessed', () => {
    expect(outcomes([ON, UPDATE, TRANSLATE, HIT, TRANSLATE, TRANSLATE])[2]).toBe(0);
  });

  test('an overflow belongs to the update before it', () => {
    expect(outcomes([ON, UPDATE, RESET_LINE, TRANSLATE, TRANSLATE])).toEqual([
      OUTCOME.known | OUTCOME.reset,
      OUTCOME.known | OUTCOME.hit,
    ]);
    expect(read([ON, RESET_LINE]).health.malformed).toBe(1);
  });

  test('lines of two threads: by source and page', () => {
    const other = 'vtd_iotlb_page_hit IOTLB page hit sid 0x100 iova 0xffffd010 slpte 0x5003 domain 0xb';
    const otherTranslate = 'vtd_dmar_translate dev 01:00.00 iova 0xffffd000 -> gpa 0x5000 mask 0xfff';
    const { events } = read([ON, UPDATE, other, otherTranslate, RESET_LINE, TRANSLATE]);
    expect(events.slice(1).map(({ fields }) => [fields['rid'], fields['domain'], fields['outcome']])).toEqual([
      [0x100, 11, OUTCOME.known | OUTCOME.hit],
      [0x18, 4, OUTCOME.known | OUTCOME.reset],
    ]);
  });

  test('large pages: the line has the address, the translation the page', () => {
    const { events } = read([
      ON,
      'vtd_iotlb_page_update IOTLB page update sid 0x38 iova 0x1015b0800 slpte 0xe600883 domain 0x6',
      'vtd_dmar_translate dev 00:07.00 iova 0x101400000 -> gpa 0xe600000 mask 0x1fffff',
      'vtd_dmar_translate dev 00:07.00 iova 0x7f80000000 -> gpa 0x40000000 mask 0x3fffffff',
    ]);
    expect(events.slice(1).map(({ fields }) => [fields['iova'], fields['pageShift'], fields['outcome']])).toEqual([
      [0x1015b0800n, 21, OUTCOME.known],
      [0x7f80000000n, 30, OUTCOME.known | OUTCOME.hit],
    ]);
  });

  test('an output that the entry contradicts is marked', () => {
    const wrong = TRANSLATE.replace('0x10efd3000', '0x10efd4000');
    expect(outcomes([ON, UPDATE, wrong])).toEqual([OUTCOME.known | OUTCOME.inconsistent]);
  });

  test('nothing is translated: off, passed through, or silent with an output that is the address', () => {
    const identity = 'vtd_dmar_translate dev 00:03.00 iova 0xffffd000 -> gpa 0xffffd000 mask 0xfff';
    expect(outcomes([identity])).toEqual([OUTCOME.bypass]);
    expect(outcomes(['vtd_reset_exit ', TRANSLATE])).toEqual([OUTCOME.bypass]);
    expect(outcomes([ON, 'vtd_dmar_enable enable 0', TRANSLATE])).toEqual([OUTCOME.bypass]);
    expect(outcomes([ON, 'vtd_translate_pt source id 0x18, iova 0xffffd123', identity])).toEqual([OUTCOME.bypass]);
    expect(outcomes([ON, identity])).toEqual([OUTCOME.bypass]);
    // A page that is mapped to itself was filled before it can be hit.
    expect(outcomes([ON, UPDATE, TRANSLATE, identity])).toEqual([OUTCOME.known, OUTCOME.known | OUTCOME.hit]);
    // A log that begins in the middle of a run.
    expect(outcomes([TRANSLATE])).toEqual([OUTCOME.known | OUTCOME.hit]);
  });

  test('lookups that wait in vain are counted, and bounded', () => {
    const { facts, health } = read([ON, ...Array<string>(100).fill(HIT)]);
    expect(facts).toMatchObject({ lines: 101, events: 1, folded: 0 });
    expect(health.entries).toMatchObject([
      { kind: 'unknown', name: 'vtd_iotlb_page_hit without its vtd_dmar_translate', count: 100 },
    ]);
  });

  test.each([
    HIT.replace('0x18', '0x10018'),
    HIT.replace(' slpte', ''),
    HIT.replace('domain 0x4', 'domain 0x4x'),
    TRANSLATE.replace('00:03.00', '00:23.00'),
    TRANSLATE.replace('00:03.00', '00:03'),
    TRANSLATE.replace('mask 0xfff', 'mask 0xffd'),
    TRANSLATE.replace('mask 0xfff', 'mask 0x'),
    TRANSLATE.replace('->', '=>'),
    'vtd_inv_desc invalidate desc type iotlb high 0x1',
    'vtd_inv_qi_tail write tail x',
    'vtd_inv_qi_setup addr 0x1 size',
    'vtd_dmar_enable enable',
    'vtd_dmar_fault sid 0x100 fault x addr 0x7ffdb000 write 0',
    'vtd_iotlb_cc_update IOTLB context update bus 0x100 devfn 0x18 high 0x402 low 0x1 gen 0 -> gen 1',
  ])('%s is malformed', (line) => {
    const { facts, health } = read([line]);
    expect([facts.events, health.malformed]).toEqual([0, 1]);
  });
});

describe('commands', () => {
  test('words, doorbells and resets', () => {
    const { events } = read([
      'vtd_inv_qi_setup addr 0x10817a000 size 256',
      ON,
      'vtd_inv_desc invalidate desc type iotlb high 0xffff8040 low 0x400f2',
      'vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x4 addr 0xffff8000 mask 0x0',
      'vtd_inv_desc invalidate desc type page group response high 0x8 low 0x701000019',
      'vtd_inv_qi_tail write tail 2',
      'vtd_dmar_enable enable 0',
      'vtd_reset_exit ',
    ]);
    const { words, doorbell, reset } = INV_FORM;
    expect(events.map(({ fields }) => [fields['form'], fields['w0'], fields['w1'], fields['w2']])).toEqual([
      [reset, BigInt(RESET.queueSetup), 0x10817a000n, 256n],
      [reset, BigInt(RESET.translationEnabled), 0n, 0n],
      [words, 0x400f2n, 0xffff8040n, 0n],
      [words, 0x701000019n, 8n, 0n],
      [doorbell, 2n, 0n, 0n],
      [reset, BigInt(RESET.translationDisabled), 0n, 0n],
      [reset, BigInt(RESET.unitReset), 0n, 0n],
    ]);
  });

  test.each([
    ['vtd_inv_desc_cc_global context invalidate globally', 0x11n, 0n],
    ['vtd_inv_desc_cc_domain context invalidate domain 0x4', 0x40021n, 0n],
    ['vtd_inv_desc_cc_devices context invalidate devices sid 0x38 fmask 0x3', 0x3003800000031n, 0n],
    ['vtd_inv_desc_iotlb_global iotlb invalidate global', 0x12n, 0n],
    ['vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0xb', 0xb0022n, 0n],
    ['vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x4 addr 0x1ffff8000 mask 0x3', 0x40032n, 0x1ffff8003n],
    [
      'vtd_inv_desc_iotlb_pasid_pages iotlb invalidate domain 0xa addr 0x100015000 mask 0x0 pasid 0x7',
      0x7000a0036n,
      0x100015000n,
    ],
    ['vtd_inv_desc_iotlb_pasid iotlb invalidate domain 0xa pasid 0x7', 0x7000a0026n, 0n],
    ['vtd_inv_desc_wait_sw wait invalidate status write addr 0x100042c04 data 0x2', 0x200000025n, 0x100042c04n],
    ['vtd_inv_desc_iec granularity 0x1 index 0x1d mask 0x2', 0x1d10000014n, 0n],
    ['vtd_inv_desc_pasid_cache_psi PASID selective PC invalidation domain 0x6 pasid 0x7', 0x700060017n, 0n],
  ])('%s stands for its descriptor where the log has none', (line, w0, w1) => {
    const { events } = read([line]);
    expect(events).toMatchObject([{ stream: 'inv', fields: { form: INV_FORM.decoded, w0, w1 } }]);
    const raw = 'vtd_inv_desc invalidate desc type x high 0x0 low 0x0';
    expect(read([raw, line])).toMatchObject({ facts: { events: 1, folded: 1 } });
  });

  test('context entries name domains in legacy mode only', () => {
    const update = 'vtd_iotlb_cc_update IOTLB context update bus 0x1 devfn 0x18 high 0xb02 low 0x1 gen 0 -> gen 1';
    const root = (scalable: number): string => `vtd_reg_dmar_root addr 0x10df68000 scalable ${scalable}`;
    expect(read([root(0), update]).events).toMatchObject([
      { stream: 'attach', fields: { kind: 2, device: 0x118, domain: 11 } },
    ]);
    expect(read([root(1), update]).events).toEqual([]);
    expect(read([update]).events).toEqual([]);
  });

  test('faults', () => {
    const { events } = read(['vtd_dmar_fault sid 0x100 fault 5 addr 0x7ffdb000 write 1']);
    expect(events).toMatchObject([
      { stream: 'fault', fields: { rid: 0x100, reason: 5, iova: 0x7ffdb000n, access: 2 } },
    ]);
  });
});
