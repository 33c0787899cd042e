import { describe, expect, test } from 'vitest';
import { OUTCOME } from '../../../traces/schema.ts';
import { readLog } from '../testing/read-log-lines.ts';

const MISS = 'smmu_iotlb_lookup_miss IOTLB cache MISS asid=1 vmid=0 addr=0xfffff040 hit=0 miss=1 hit rate=0';
const HIT = 'smmu_iotlb_lookup_hit IOTLB cache HIT asid=1 vmid=0 addr=0xfffff040 hit=1 miss=1 hit rate=50';
const INSERT = 'smmu_iotlb_insert IOTLB ++ asid=1 vmid=0 addr=0xfffff000 tg=1 level=3';
const SUCCESS =
  'smmuv3_translate_success smmuv3-iommu-memory-region-64-5 sid=0x40 iova=0xfffff040 translated=0x8090040 perm=0x3 stage=1';
const EMPTIED = 'smmu_iotlb_inv_all IOTLB invalidate all';

/** A round of commands: each its name and the lines of what it did. */
function round(first: number, ...commands: readonly (readonly string[])[]): string[] {
  const end = first + commands.length;
  const lines = commands.flatMap(([name, ...effects], k) => [
    `smmuv3_cmdq_consume prod=${end} cons=${first + k} prod.wrap=0 cons.wrap=0`,
    `smmuv3_cmdq_opcode <--- SMMU_CMD_${name}`,
    ...effects,
  ]);
  return [...lines, `smmuv3_cmdq_consume_out prod:${end}, cons:${end}, prod_wrap:0, cons_wrap:0 `];
}

function range(addr: string, pages: number, more = 'ttl=3 leaf=1 stage=1', tg = 1): string {
  return `smmuv3_range_inval vmid=0 asid=1 addr=${addr} tg=${tg} num_pages=0x${pages.toString(16)} ${more}`;
}

/** Words of the commands, without doorbells, as hexadecimal. */
function words(lines: readonly string[]): string[] {
  return readLog(lines)
    .of('inv')
    .filter(({ form }) => form === 3)
    .map(({ w0, w1 }) => `${(w0 as bigint).toString(16)} ${(w1 as bigint).toString(16)}`);
}

describe('translations', () => {
  test('a miss, its insertion and its result are one access', () => {
    const { events, facts, health } = readLog([MISS, INSERT, SUCCESS]);
    expect(events.map(({ stream }) => stream)).toEqual(['attach', 'dma']);
    expect(events[0]!.fields).toMatchObject({ device: 0x40, domain: 1 });
    expect(events[1]!.fields).toMatchObject({
      rid: 0x40,
      domain: 1,
      iova: 0xfffff040n,
      out: 0x8090000n,
      pageShift: 12,
      perm: 3,
      outcome: OUTCOME.known,
    });
    expect(facts).toMatchObject({ events: 1, folded: 2 });
    expect(health.entries).toEqual([]);
  });

  test('a hit is a result without a miss where hits are not logged, and unknown where they are', () => {
    const outcomes = (lines: readonly string[]) =>
      readLog(lines)
        .of('dma')
        .map(({ outcome }) => outcome);
    expect(outcomes([MISS, INSERT, SUCCESS, SUCCESS])).toEqual([1, 3]);
    expect(outcomes([MISS, INSERT, SUCCESS, HIT, SUCCESS, SUCCESS])).toEqual([1, 3, 0]);
    expect(outcomes([SUCCESS])).toEqual([0]);
  });

  test('the cache is emptied before the insertion that needs room', () => {
    expect(readLog([MISS, EMPTIED, INSERT, SUCCESS, MISS, INSERT, SUCCESS]).of('dma')).toMatchObject([
      { outcome: OUTCOME.known | OUTCOME.reset },
      { outcome: OUTCOME.known },
    ]);
  });

  test('a command that empties it is none of an insertion', () => {
    const lines = [...round(0, ['TLBI_NSNH_ALL', 'smmuv3_cmdq_tlbi_nsnh ', EMPTIED]), MISS, INSERT, SUCCESS];
    expect(readLog(lines).of('dma')).toMatchObject([{ outcome: OUTCOME.known }]);
  });

  test('results of two streams in between each other', () => {
    const miss2 = MISS.replace('asid=1', 'asid=2');
    const insert2 = INSERT.replace('asid=1', 'asid=2');
    const success2 = SUCCESS.replace('sid=0x40', 'sid=0x48');
    const known = [MISS, INSERT, SUCCESS, miss2, insert2, success2];
    const { of } = readLog([...known, MISS, INSERT, miss2, insert2, success2, SUCCESS]);
    expect(of('dma').map(({ rid, domain }) => [rid, domain])).toEqual([
      [0x40, 1],
      [0x48, 2],
      [0x48, 2],
      [0x40, 1],
    ]);
  });

  test('blocks and other granules', () => {
    const block = INSERT.replace('addr=0xfffff000 tg=1 level=3', 'addr=0xffe00000 tg=1 level=2');
    const { of } = readLog([
      MISS,
      block,
      SUCCESS.replace('0x8090040', '0x45fff040'),
      SUCCESS.replace('0x8090040', '0x45fff040'),
    ]);
    expect(of('dma')).toMatchObject([
      { pageShift: 21, out: 0x45e00000n, outcome: 1 },
      { pageShift: 21, out: 0x45e00000n, outcome: 3 },
    ]);
    const big = readLog([MISS, INSERT.replace('addr=0xfffff000 tg=1', 'addr=0xffff0000 tg=3'), SUCCESS]);
    expect(big.of('dma')).toMatchObject([{ pageShift: 16, out: 0x8090000n }]);
  });

  test('VMIDs, and walks of stage 1 through stage 2', () => {
    const nested = SUCCESS.replace('stage=1', 'stage=3');
    const { of, health } = readLog([
      MISS.replace('vmid=0', 'vmid=5'),
      'smmu_iotlb_lookup_miss IOTLB cache MISS asid=-1 vmid=5 addr=0x472db000 hit=0 miss=2 hit rate=0',
      'smmu_iotlb_insert IOTLB ++ asid=-1 vmid=5 addr=0x472db000 tg=1 level=3',
      INSERT.replace('vmid=0', 'vmid=5'),
      nested,
    ]);
    expect(of('dma')).toMatchObject([{ domain: 1 | (5 << 16), outcome: 1 }]);
    expect(health.unknown).toBe(1);
    const second = readLog([
      MISS.replace('asid=1 vmid=0', 'asid=-1 vmid=5'),
      INSERT.replace('asid=1 vmid=0', 'asid=-1 vmid=5'),
      SUCCESS.replace('stage=1', 'stage=2'),
    ]);
    expect(second.of('dma')).toMatchObject([{ domain: 5 << 16, outcome: 1 }]);
  });

  test('passed through, and refused', () => {
    const { of } = readLog([
      'smmuv3_translate_disable n sid=0x300 bypass (smmu disabled) iova:0xfffff040 is_write=1',
      'smmuv3_translate_bypass n sid=0x300 STE bypass iova:0x1040 is_write=1',
      'smmuv3_translate_abort n sid=0x300 abort on iova:0x2040 is_write=0',
    ]);
    expect(of('dma')).toMatchObject([
      { rid: 0x300, iova: 0xfffff040n, out: 0xfffff000n, outcome: OUTCOME.bypass },
      { iova: 0x1040n, outcome: OUTCOME.bypass },
      { iova: 0x2040n, outcome: OUTCOME.fault },
    ]);
  });

  test('an event names no address: it is that of the lookup that inserted nothing', () => {
    const { of } = readLog([MISS, 'smmuv3_propagate_event SMMU_EVT_F_TRANSLATION sid=0x40']);
    expect(of('fault')).toMatchObject([{ rid: 0x40, reason: 0x10, iova: 0xfffff040n }]);
    expect(of('dma')).toMatchObject([{ rid: 0x40, iova: 0xfffff040n, outcome: OUTCOME.fault | OUTCOME.known }]);
    expect(readLog(['smmuv3_record_event SMMU_EVT_C_BAD_STE sid=0x40']).of('fault')).toMatchObject([{ reason: 4 }]);
  });

  test('lookups that never end are counted', () => {
    const { health, facts } = readLog([MISS, INSERT, MISS]);
    expect(health.unknown).toBe(2);
    expect(facts.folded).toBe(1);
  });
});

describe('commands', () => {
  test('a range cut into pieces is the one command that named it', () => {
    const pieces = [range('0xfffe0000', 8), range('0xfffe8000', 4), range('0xfffec000', 2)];
    // 14 granules: SCALE 1, NUM 6.
    expect(words(round(0, ['TLBI_NH_VA', ...pieces], ['SYNC']))).toEqual(['1000000106012 fffe0701', '46 0']);
  });

  test('pieces that no command can name stay pieces', () => {
    expect(words(round(0, ['TLBI_NH_VA', range('0x1000', 1), range('0x3000', 1)]))).toHaveLength(2);
    expect(words(round(0, ['TLBI_NH_VA', range('0x1000', 1), range('0x2000', 64)]))).toEqual([
      '1000000000012 1701',
      '1000000600012 2701',
    ]);
  });

  test('without a granule there is no range', () => {
    expect(words(round(0, ['TLBI_NH_VA', range('0x7f000', 1, 'ttl=0 leaf=0 stage=1', 0)]))).toEqual([
      '1000000000012 7f000',
    ]);
    // QEMU 7.2 to 9.0
    const old = range('0x7f000', 1, 'ttl=3 leaf=1').replace('smmuv3_range', 'smmuv3_s1_range');
    expect(words(round(0, ['TLBI_NH_VA', old]))).toEqual(['1000000000012 7f701']);
    const any = range('0x7f000', 1).replace('vmid=0 asid=1', 'vmid=-1 asid=-1');
    expect(words(round(0, ['TLBI_NH_VAA', any]))).toEqual(['13 7f701']);
  });

  test('every command that has fields of its own', () => {
    const lines = round(
      0,
      ['CFGI_STE', 'smmuv3_cmdq_cfgi_ste streamid= 0x40', 'smmu_config_cache_inv Config cache INV for sid=0x40'],
      ['CFGI_STE_RANGE', 'smmuv3_cmdq_cfgi_ste_range start=0x0 - end=0xffffffff'],
      ['CFGI_CD', 'smmuv3_cmdq_cfgi_cd sid=0x48'],
      ['TLBI_NH_ASID', 'smmuv3_cmdq_tlbi_nh_asid asid=7', 'smmu_iotlb_inv_asid_vmid IOTLB invalidate asid=7 vmid=2'],
      ['TLBI_NH_ALL', 'smmuv3_cmdq_tlbi_nh vmid=3', 'smmu_iotlb_inv_vmid_s1 IOTLB invalidate vmid=3'],
      ['TLBI_S12_VMALL', 'smmuv3_cmdq_tlbi_s12_vmid vmid=4', 'smmu_iotlb_inv_vmid IOTLB invalidate vmid=4'],
      ['TLBI_NSNH_ALL', 'smmuv3_cmdq_tlbi_nsnh ', EMPTIED],
      ['ATC_INV', 'smmuv3_unhandled_cmd Unhandled command type=64'],
      ['PREFETCH_CONFIG'],
      ['SYNC'],
    );
    expect(words(lines)).toEqual([
      '4000000003 0',
      '4 1f',
      '4800000005 0',
      '7000200000011 0',
      '300000010 0',
      '400000028 0',
      '30 0',
      '40 0',
      '1 0',
      '46 0',
    ]);
    const { health, facts } = readLog(lines);
    expect(health.entries).toEqual([]);
    // One doorbell a round, one event a command.
    expect(facts.events).toBe(11);
  });

  test('a round begins with a doorbell, and a full queue of one producer index is two rounds', () => {
    const { of } = readLog([...round(4, ['SYNC'], ['SYNC']), ...round(4, ['SYNC'], ['SYNC'])]);
    expect(of('inv').map(({ form, w0 }) => [form, w0])).toEqual([
      [1, 6n],
      [3, 0x46n],
      [3, 0x46n],
      [1, 6n],
      [3, 0x46n],
      [3, 0x46n],
    ]);
  });

  test('a translation logged within a command came before it, a lookup after its effect came after', () => {
    const tlbi = round(0, ['TLBI_NH_VA', range('0xfffff000', 1)]);
    const inside = (...more: readonly string[]) =>
      readLog([MISS, INSERT, SUCCESS, ...tlbi.slice(0, 3), ...more, ...tlbi.slice(3)])
        .events.slice(2)
        .map(({ stream, fields }) => (stream === 'inv' ? `inv ${String(fields['form'])}` : stream));
    expect(inside(SUCCESS)).toEqual(['inv 1', 'dma', 'inv 3']);
    expect(inside(MISS, INSERT, SUCCESS)).toEqual(['inv 1', 'inv 3', 'dma']);
    const { events } = readLog([MISS, INSERT, SUCCESS, ...tlbi.slice(0, 3), SUCCESS, ...tlbi.slice(3)]);
    const times = events.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('the end of a log ends its last command', () => {
    expect(words(round(0, ['SYNC']).slice(0, 2))).toEqual(['46 0']);
  });

  test('a range of which no line tells is no command', () => {
    const { of, health, facts } = readLog(
      round(0, ['TLBI_NH_VA'], ['TLBI_EL2_VA', 'smmuv3_unhandled_cmd Unhandled command type=34']),
    );
    expect(of('inv')).toHaveLength(1);
    expect(health.unknown).toBe(2);
    expect(facts.lines).toBe(facts.events + facts.folded + health.unknown);
  });

  test('a command that the architecture does not define, an error, lines that are cut', () => {
    const { health, of } = readLog([
      ...round(0, ['INVALID']).slice(0, 2),
      'smmuv3_cmdq_consume_error Error on INVALID command execution: 1',
      'smmuv3_range_inval vmid=0 asid=1 addr=0x',
      'smmuv3_range_inval vmid=0 asid=99999 addr=0x1000 tg=1 num_pages=0x1 ttl=3 leaf=1',
      'smmu_iotlb_insert IOTLB ++ asid=1 vmid=0 addr=0xfffff000 tg=0 level=3',
      'smmuv3_cmdq_cfgi_ste_range start=0x0 - end=0x2',
      'smmuv3_brand_new x=1',
    ]);
    expect(of('inv').filter(({ form }) => form === 3)).toEqual([]);
    expect(health).toMatchObject({ malformed: 4, unknown: 2 });
  });
});
