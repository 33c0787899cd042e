import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { compareTrace } from './compare.ts';
import { verifyInv } from './verify-inv.ts';

const CORPUS = fileURLToPath(new URL('../../traces/corpus/', import.meta.url));
const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Strict systems of which a source saw maps, unmaps and commands; the last has devices that a VMM passes through. */
const STRICT = [
  'vtd-strict-6.12',
  'vtd-vfio-7.2',
  'vtd-first-stage-vfio-7.2',
  'vtd-pri-pasid-7.2',
  'smmuv3-strict-6.12',
  'nested-qemu-vfio-7.2',
];

/** Commands that unmaps ask for; interrupts, contexts, configuration and whole address spaces have other reasons. */
const OF_UNMAPS = ['iotlb', 'devtlb', 'pasid-iotlb', 'pasid-devtlb', 'tlbi-nh-va', 'tlbi-s2-ipa'];
const OF_ENTRIES = 'whole-domain flush of a context or PASID entry that was changed';

/**
 * What `linux-strict` makes of a trace's maps and unmaps alone against what was recorded: every command word for word and in order
 * (`verify`), and as many of each type in the comparison's row as in the recorded one, but for at most those that follow an
 * attachment.
 */
async function regenerated(path: string): Promise<{
  readonly diverged: readonly unknown[];
  readonly flushes: { readonly checked: number; readonly agreed: number };
  readonly design: readonly number[];
  readonly recorded: readonly number[];
  readonly ofEntries: number;
}> {
  const trace = openTrace(path);
  try {
    const verified = verifyInv(trace);
    const result = await compareTrace(trace, {
      designs: ['linux-strict'],
      access: 'none',
      hardware: hardwareProfile('auto', trace.header),
      profile: costProfile('auto', trace.header),
    });
    const count = (
      row: { readonly commandsByType: { readonly [type: string]: number } } | null | undefined,
    ): number[] => OF_UNMAPS.map((type) => row?.commandsByType[type] ?? 0);
    return {
      diverged: verified?.divergences ?? ['nothing was verified'],
      flushes: verified?.parts['inv.flush'] ?? { checked: 0, agreed: 0 },
      design: count(result?.designs[0]),
      recorded: count(result?.recorded),
      ofEntries: verified?.skipped[OF_ENTRIES] ?? 0,
    };
  } finally {
    trace.close();
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}

/** What of a regeneration does not hold. */
async function differences(path: string): Promise<readonly string[]> {
  const { diverged, flushes, design, recorded, ofEntries } = await regenerated(path);
  const missing = recorded.map((count, i) => count - (design[i] ?? 0));
  const holds: readonly (readonly [string, boolean])[] = [
    [`no command diverges: ${JSON.stringify(diverged)}`, diverged.length === 0],
    ['there are flushes, and each agrees', flushes.checked > 60 && flushes.agreed === flushes.checked],
    ['the row has what was verified', sum(design) >= flushes.checked],
    [`no type has more than was recorded: ${design.join()} of ${recorded.join()}`, Math.min(...missing) >= 0],
    [`what is missing follows attachments: ${missing.join()} of ${ofEntries}`, sum(missing) <= ofEntries],
  ];
  return holds.flatMap(([what, held]) => (held ? [] : [what]));
}

describe('linux-strict makes the commands of strict systems again', () => {
  test.each(STRICT)('%s', async (name) => {
    expect(await differences(`${CORPUS}${name}.iorr`)).toEqual([]);
  });
});

describe('linux-lazy explains the flushes of a lazy system', () => {
  test('each full ring at its unmap, every other flush by its timer', () => {
    const trace = openTrace(`${CORPUS}vtd-lazy-ats-6.12.iorr`);
    try {
      const verified = verifyInv(trace);
      expect(verified?.divergences).toEqual([]);
      expect(verified?.parts['inv.flush']).toMatchObject({ diverged: 0 });
      expect(verified?.notes.join('\n')).toMatch(/ring/);
      expect(verified?.notes.join('\n')).toMatch(/timer/);
    } finally {
      trace.close();
    }
  });
});

const whole = process.env['IORR_FULL'] === '1' && existsSync(CAPTURES) && existsSync(CLI);
if (!whole) console.warn('whole captures: need IORR_FULL=1, ../shared and a build');

describe.skipIf(!whole)('whole captures, imported from both sides', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'iorr-regeneration-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function imported(name: string, files: readonly string[]): string {
    const path = join(folder, `${name}.iorr`);
    const held = readdirSync(join(CAPTURES, name));
    const sources = files.filter((file) => held.includes(file)).map((file) => join(CAPTURES, name, file));
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'import', ...sources, '-o', path], {
      encoding: 'utf8',
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    return path;
  }

  test.each(STRICT.slice(0, 5))('%s', async (name) => {
    // the guest's kernel does not trace commands of SMMUv3: there the emulator's side has both
    expect(await differences(imported(name, ['trace.txt.zst', 'qemu_trace.log.zst']))).toEqual([]);
  });

  test('ten designs on vtd-strict-6.12 take less than 12 times one, and the same bytes come from 1, 2 and 3 jobs', () => {
    const path = imported('vtd-strict-6.12', ['trace.txt.zst', 'qemu_trace.log.zst']);
    const ten =
      'linux-strict,linux-lazy,linux-lazy-single-fq,per-page,keep-walk-caches,contiguous-iova,contiguous-iova-only,batch-n,persistent,huge-iopte';
    const run = (designs: string, jobs: number): { readonly stdout: string; readonly ns: number } => {
      const start = process.hrtime.bigint();
      const args = ['compare', path, '--designs', designs, '--jobs', String(jobs), '--json'];
      const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return { stdout, ns: Number(process.hrtime.bigint() - start) };
    };
    const one = Math.min(run('linux-strict', 1).ns, run('linux-strict', 1).ns);
    const [two, alone, three] = [run(ten, 2), run(ten, 1), run(ten, 3)];
    console.warn(`one design ${Math.round(one / 1e6)} ms; ten with two jobs ${Math.round(two.ns / 1e6)} ms`);
    expect(alone.stdout === two.stdout).toBe(true);
    expect(three.stdout === two.stdout).toBe(true);
    expect(two.ns).toBeLessThan(12 * one);
    expect(two.ns).toBeLessThan(60e9);
  });
});
