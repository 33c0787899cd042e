// Makes the traces of this folder from the captures named in PROVENANCE.md, and rewrites the table of counts there.
//
//     npm run corpus -- FOLDER-OF-CAPTURES [NAME...]
//     npm run corpus
//
// The second form only counts again, after the model has learned to check more of a trace.
//
// Long captures are cut: a prefix from boot on, so that the state at every event is in the trace. The guest's log is cut
// before the first unmap after a mark of the workload at which no unmap waits for its flush; QEMU's log is cut behind the
// command (and its wait) that the guest had submitted last by then. So every access in the trace happened before the cut.
import { spawnSync } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { openTrace } from '../../dist/traces/file.js';

const here = import.meta.dirname;
const cli = join(here, '../../dist/cli.js');

/** Ioctls of a test case from which on it says nothing new, over and over. */
const LONG_CASE = 100;

/**
 * `until`: the mark of the workload behind which the capture is cut; none: the whole capture. `requests`: lines that stand for
 * the commands where the guest logs none: its maps and unmaps, the host's commands for them, and what ends the last. `keep`: lines that are kept of a
 * recording of system calls, by what stands in it; `excerpt` says which these are.
 */
const TRACES = [
  { name: 'vtd-strict-6.12', parts: ['trace.txt', 'qemu_trace.log'], until: 'lab: fio-nvme-seq128k' },
  { name: 'vtd-lazy-ats-6.12', parts: ['trace.txt', 'qemu_trace.log'], until: 'lab: fio-nvme-seq128k' },
  { name: 'vtd-vfio-7.2', parts: ['trace.txt', 'qemu_trace.log'] },
  { name: 'vtd-first-stage-vfio-7.2', parts: ['trace.txt', 'qemu_trace.log'] },
  { name: 'vtd-pri-pasid-7.2', parts: ['trace.txt', 'qemu_trace.log'] },
  {
    name: 'vtd-pri-pasid-7.2-calls',
    from: 'vtd-pri-pasid-7.2',
    parts: ['trace.txt', 'ioctl_pri.hex', 'strace_pri.txt', 'qemu_trace.log'],
  },
  { name: 'nested-qemu-vfio-7.2', parts: ['trace.txt', 'qemu_trace.log'] },
  { name: 'vtd-vfio-7.2-qemu', from: 'vtd-vfio-7.2', parts: ['qemu_trace.log'] },
  {
    name: 'smmuv3-strict-6.12-ftrace',
    from: 'smmuv3-strict-6.12',
    parts: ['trace.txt'],
    until: 'lab: fio-virtio-blk-randrw4k',
  },
  {
    name: 'smmuv3-strict-6.12',
    parts: ['trace.txt', 'qemu_trace.log'],
    until: 'lab: fio-nvme-seq128k',
    requests: {
      guest: / unmap: IOMMU: /,
      host: / smmuv3_cmdq_opcode <--- SMMU_CMD_TLBI_NH_VA$/,
      end: ' smmuv3_cmdq_consume_out ',
    },
  },
  {
    name: 'virtio-iommu-6.12',
    parts: ['trace.txt', 'qemu_trace.log'],
    until: 'lab: fio-virtio-blk-seq256k',
    requests: {
      guest: / (?:map|unmap): IOMMU: /,
      host: / virtio_iommu_(?:map|unmap) /,
      end: ' virtio_iommu_unmap_done ',
    },
  },
  { name: 'amd-vfio-7.2', parts: ['trace.txt', 'qemu_trace.log'] },
  {
    name: 'iommufd-selftest',
    parts: ['iommufd.even.jsonl'],
    keep: shortCases,
    excerpt: `cases of up to ${LONG_CASE} ioctls`,
  },
  { name: 'iommufd-random', parts: ['sample.jsonl'], keep: oddRuns, excerpt: 'its first and third run' },
  { name: 'vtd-vfio-7.2-ioctl', from: 'vtd-vfio-7.2', parts: ['ioctl_iommufd.hex'] },
  { name: 'vtd-vfio-7.2-ioctl-type1', from: 'vtd-vfio-7.2', parts: ['ioctl_legacy1.hex'] },
  { name: 'migration-dirty', parts: ['qemu_trace.log', 'qmp.log'] },
];

const never = () => false;

/** The test case of a line of system calls. */
const caseOf = (line) => /"test":"([^"]*)"/.exec(line)?.[1] ?? '';

/** Lines of test cases that are not long, and those of none. */
async function shortCases(path) {
  const ioctls = new Map();
  for await (const line of linesOf(path)) {
    if (line.includes('"sys":"ioctl"')) ioctls.set(caseOf(line), (ioctls.get(caseOf(line)) ?? 0) + 1);
  }
  return (line) => (ioctls.get(caseOf(line)) ?? 0) <= LONG_CASE;
}

/** Every second of several recordings in one file. */
function oddRuns() {
  let run = 0;
  return (line) => {
    if (line.includes('"ev":"start"')) run++;
    return run % 2 === 1;
  };
}

/** Where a part of a capture is: packed, one way or the other, or as it is. */
function packed(folder, part) {
  const names = [`${part}.gz`, `${part}.zst`, part];
  return join(folder, names.find((name) => existsSync(join(folder, name))) ?? part);
}

/** Lines of a packed file, without their ends; 39 MB may unpack to half a GB, so they are streamed. */
async function* linesOf(path) {
  async function* chunks() {
    if (path.endsWith('.gz')) {
      yield* createReadStream(path).pipe(createGunzip());
      return;
    }
    if (!path.endsWith('.zst')) {
      yield* createReadStream(path);
      return;
    }
    let ready = [];
    const decompress = new Decompress((chunk) => ready.push(Buffer.from(chunk)));
    for await (const chunk of createReadStream(path)) {
      decompress.push(chunk);
      yield* ready;
      ready = [];
    }
  }
  yield* createInterface({ input: Readable.from(chunks()), crlfDelay: Infinity });
}

/**
 * Copies lines until `stops(line)` says so of one, which is not copied any more. A cut log goes without the line that counts
 * the events of the whole one.
 */
async function copy(from, to, stops) {
  const out = createWriteStream(to);
  for await (const line of linesOf(from)) {
    if (stops(line)) break;
    if (stops !== never && line.startsWith('# entries-in-buffer')) continue;
    if (!out.write(`${line}\n`)) await new Promise((resolve) => out.once('drain', resolve));
  }
  await new Promise((resolve) => out.end(resolve));
}

/** Copies the lines that `keeps(line)` takes. */
async function pick(from, to, keeps) {
  const out = createWriteStream(to);
  for await (const line of linesOf(from)) {
    if (keeps(line) && !out.write(`${line}\n`)) await new Promise((resolve) => out.once('drain', resolve));
  }
  await new Promise((resolve) => out.end(resolve));
}

/** Cuts the guest's log; returns how many commands it submitted before the cut. */
async function cutGuest(from, to, mark, requests) {
  let commands = 0;
  let waiting = 0;
  let strict = false;
  let marked = false;
  await copy(from, to, (line) => {
    if (line.includes(' qi_submit: ')) commands++;
    else if (line.includes(' cache_tag_flush_range: ')) {
      strict = true;
      waiting = 0;
    } else if (line.includes(' unmap: IOMMU: ')) {
      if (marked && !(strict && waiting > 0)) return true;
      waiting++;
    } else if (line.includes(` tracing_mark_write: ${mark}`)) marked = true;
    if (requests?.guest.test(line)) commands++;
    return false;
  });
  return commands;
}

/** Cuts QEMU's log behind the n-th command that is no wait, and the wait that belongs to it. */
function cutHost(from, to, commands) {
  let seen = 0;
  let waited = false;
  return copy(from, to, (line) => {
    if (!line.includes(' vtd_inv_desc '))
      return seen === commands && waited && !line.includes(' vtd_inv_desc_wait_sw ');
    if (!line.includes(' type wait ')) {
      seen++;
      waited = false;
    } else waited = true;
    return seen > commands;
  });
}

/** Cuts QEMU's log behind the n-th command that a map or unmap of the guest asked for. */
function cutRequests(from, to, count, { host, end }) {
  let seen = 0;
  let over = false;
  return copy(from, to, (line) => {
    if (over) return true;
    if (host.test(line)) seen++;
    over = seen === count && line.includes(end);
    return seen > count;
  });
}

function run(cwd, ...args) {
  const { status, stdout } = spawnSync(process.execPath, [cli, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, stdout };
}

async function convert({ name, from = name, parts, until, keep, requests }, captures, scratch) {
  const cut = [];
  let commands;
  for (const part of parts) {
    const source = packed(join(captures, from), part);
    const target = join(scratch, part);
    if (keep !== undefined) await pick(source, target, await keep(source));
    else if (until === undefined) await copy(source, target, never);
    else if (part === 'trace.txt') commands = await cutGuest(source, target, until, requests);
    else if (requests !== undefined) await cutRequests(source, target, commands, requests);
    else await cutHost(source, target, commands);
    cut.push(part);
  }
  const path = join(here, `${name}.iorr`);
  // Names without folders: the trace keeps the places of what it could not read.
  const { status } = run(scratch, 'import', ...cut, '-o', path);
  if (status !== 0) throw new Error(`${name}: import failed`);
}

/** The row of the table in PROVENANCE.md: counts as the file has them now. */
function describe({ name, from = name, parts, until, excerpt }) {
  const path = join(here, `${name}.iorr`);
  const trace = openTrace(path);
  const { map, unmap, inv, dma, ioctl, dirty, lost } = trace.streamCounts;
  const { eventCount } = trace;
  trace.close();
  const { stdout } = run(here, 'verify', path, '--json');
  const { byKind = {} } = stdout === '' ? {} : JSON.parse(stdout).result;
  const checked = (kind) => byKind[kind]?.checked ?? 0;
  const what = `${parts.join(' + ')} of ${from}${until === undefined ? '' : `, to \`${until}\``}${excerpt === undefined ? '' : `, ${excerpt}`}`;
  const counts = [eventCount, map, unmap, inv, dma, ioctl, dirty, lost];
  const numbers = [statSync(path).size, ...counts, checked('dma'), checked('inv'), checked('ioctl')];
  return `| \`${name}.iorr\` | ${what} | ${numbers.join(' | ')} |`;
}

const [captures, ...names] = process.argv.slice(2);
if (captures !== undefined) {
  const scratch = mkdtempSync(join(tmpdir(), 'iorr-corpus-'));
  try {
    for (const trace of TRACES) {
      if (names.length > 0 && !names.includes(trace.name)) continue;
      console.error(trace.name);
      await convert(trace, captures, scratch);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
const provenance = join(here, 'PROVENANCE.md');
const rows = TRACES.filter(({ name }) => existsSync(join(here, `${name}.iorr`)))
  .map(describe)
  .join('\n');
writeFileSync(
  provenance,
  readFileSync(provenance, 'utf8').replace(/(?<=<!-- counts -->\n(?:\|.*\n){2})(?:\|.*\n)*/, () => `${rows}\n`),
);
