import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amdDialect } from '../../traces/dialects/amd.ts';
import type { CommandDialect } from '../../traces/dialects/dialect.ts';
import { riscvDialect } from '../../traces/dialects/riscv.ts';
import { smmuv3Dialect } from '../../traces/dialects/smmuv3.ts';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { ACCESS } from '../../traces/schema.ts';
import { highWord, lowWord } from '../../traces/units.ts';
import { PageRequestSpans } from './page-request-spans.ts';
import type { AnsweredGroup } from './page-request-spans.ts';
import { RESPONSE, pageResponse, readPageResponse } from './page-response.ts';

/** Words of a command whose fields are given as plain data. */
function encode(
  dialect: CommandDialect,
  type: string,
  fields: { readonly [name: string]: number | boolean },
): bigint[] {
  return dialect.encode({ type, problems: [], ...fields });
}

describe('responses to page requests', () => {
  function read(dialect: CommandDialect, words: readonly bigint[]) {
    const response = pageResponse();
    const [w0 = 0n, w1 = 0n] = words;
    const is = readPageResponse(response, dialect.id, lowWord(w0), highWord(w0), lowWord(w1), highWord(w1));
    return is ? response : undefined;
  }

  test('are read from the words of each dialect', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 0xf_ffff }),
        fc.integer({ min: 0, max: 0x1ff }),
        fc.constantFrom([0, RESPONSE.success], [1, RESPONSE.invalid], [15, RESPONSE.failure]),
        fc.boolean(),
        (rid, pasid, group, [code = 0, meaning = 0], present) => {
          const expected = { rid, pasid: present ? pasid : -1, group, code: meaning };
          const vtd = encode(vtdDialect, 'page-response', {
            pasidPresent: present,
            code,
            rid,
            pasid,
            group,
          });
          expect(read(vtdDialect, vtd)).toEqual(expected);
          const amd = encode(amdDialect, 'complete-ppr-request', {
            device: rid,
            pasid,
            guest: present,
            tag: group,
            status: code,
          });
          expect(read(amdDialect, amd)).toEqual(expected);
          const smmu = encode(smmuv3Dialect, 'pri-resp', {
            ssv: present,
            secure: false,
            ssid: pasid,
            sid: rid,
            group,
            response: meaning === RESPONSE.success ? 2 : meaning === RESPONSE.invalid ? 1 : 0,
          });
          expect(read(smmuv3Dialect, smmu)).toEqual(expected);
          const riscv = encode(riscvDialect, 'ats-prgr', {
            pid: pasid,
            pidValid: present,
            segmentValid: false,
            rid,
            segment: 0,
            group,
            code,
            destination: rid,
          });
          expect(read(riscvDialect, riscv)).toEqual(expected);
        },
      ),
    );
  });

  test('no other command is one', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (word) => {
        for (const dialect of [vtdDialect, amdDialect, smmuv3Dialect, riscvDialect]) {
          const { type } = dialect.decode([word, 0n]);
          const answers = ['page-response', 'complete-ppr-request', 'pri-resp', 'ats-prgr'].includes(type);
          expect(read(dialect, [word, 0n]) !== undefined).toBe(answers);
        }
      }),
    );
  });
});

describe('page requests and their responses', () => {
  test('a span runs from the last request of a group to the response', () => {
    const spans: AnsweredGroup[] = [];
    const join = new PageRequestSpans((group) => spans.push(group));
    join.request(0x100, 7, 3, ACCESS.read, 1000);
    join.request(0x100, 7, 3, ACCESS.read | ACCESS.last, 1500);
    // another PASID, another device, another group
    join.request(0x100, 8, 3, ACCESS.last, 1600);
    join.request(0x108, 7, 3, ACCESS.last, 1700);
    join.request(0x100, -1, 3, ACCESS.last, 1800);
    join.response(0x100, 7, 3, 2500);
    expect(spans).toEqual([{ rid: 0x100, pasid: 7, group: 3, requests: 2, ns: 1000, at: 2500 }]);
    join.response(0x100, 7, 3, 2600);
    expect(join).toMatchObject({ requests: 5, lastRequests: 4, responses: 2, orphans: 1, open: 3 });
    // the index is used again
    join.request(0x100, 7, 3, ACCESS.last, 3000);
    join.response(0x100, 7, 3, 3100);
    expect(spans.at(-1)).toMatchObject({ requests: 1, ns: 100 });
  });

  test('a response may come before the trace tells of its last request', () => {
    const spans: AnsweredGroup[] = [];
    const join = new PageRequestSpans((group) => spans.push(group));
    join.request(0x100, 7, 1, ACCESS.read, 1000);
    join.response(0x100, 7, 1, 1400);
    join.request(0x100, 7, 1, ACCESS.read | ACCESS.last, 1500);
    join.response(0x100, 7, 2, 2000);
    join.request(0x100, 7, 2, ACCESS.read | ACCESS.last, 2100);
    expect(spans.map(({ group, requests, ns }) => [group, requests, ns])).toEqual([
      [1, 2, 0],
      [2, 1, 0],
    ]);
    expect(join).toMatchObject({ responses: 2, orphans: 0, open: 0 });
  });

  test('groups that nobody answers do not fill memory', () => {
    const join = new PageRequestSpans(() => undefined);
    for (let i = 0; i < 70_000; i++) join.request(i & 0xffff, i >>> 16, 0, ACCESS.last, i);
    expect(join.open + join.givenUp).toBe(70_000);
    expect(join.open).toBe(65_536);
  });
});
