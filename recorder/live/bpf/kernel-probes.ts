import { parseHexWords } from '../../import/calls/words.ts';
import type { Words } from '../../import/calls/words.ts';
import type { KernelFunctions } from '../btf/kernel-functions.ts';
import { limited, ok } from '../check.ts';
import type { Check } from '../check.ts';
import type { LineTarget, OtherLines } from './bpftrace-lines.ts';
import { amdCommands, smmuv3Commands, vtdCommands } from './probes/commands.ts';
import { DomainNumbers } from './probes/domain-numbers.ts';
import { domains } from './probes/domains.ts';
import type { KernelProbe, ProbeLine } from './probes/kernel-probe.ts';
import { pageRequests } from './probes/page-requests.ts';

/** All of them. To add one: a file in `probes/`, a line here. */
export const KERNEL_PROBES: readonly KernelProbe[] = [domains, vtdCommands, smmuv3Commands, amdCommands, pageRequests];

const LINES: ReadonlyMap<string, ProbeLine> = new Map(
  KERNEL_PROBES.flatMap(({ lines }) => lines.map((line) => [line.tag, line] as const)),
);

/** What can be probed here. */
export interface ProbeChoice {
  readonly program: string;
  readonly probes: readonly KernelProbe[];
  /** By name of a probe: the functions that it uses, or what it lacks. */
  readonly found: readonly { readonly name: string; readonly functions: readonly string[]; readonly lacking: string }[];
}

export function chooseProbes(kernel: KernelFunctions): ProbeChoice {
  const plans = KERNEL_PROBES.map((probe) => ({ probe, plan: planOf(kernel, probe) }));
  return {
    program: plans.map(({ plan }) => ('program' in plan ? plan.program : '')).join(''),
    probes: plans.filter(({ plan }) => 'program' in plan).map(({ probe }) => probe),
    found: plans.map(({ probe: { name }, plan }) =>
      'program' in plan ? { name, functions: plan.functions, lacking: '' } : { name, functions: [], ...plan },
    ),
  };
}

function planOf(kernel: KernelFunctions, probe: KernelProbe): ReturnType<KernelProbe['plan']> {
  if (!kernel.probes) return { lacking: 'a kernel without kprobes' };
  return kernel.described ? probe.plan(kernel) : { lacking: 'a kernel without BTF: nobody knows its structs' };
}

/** For `iorr doctor`. */
export function checkProbes(kernel: KernelFunctions): Check {
  const name = 'kernel functions';
  if (!kernel.probes) {
    const found = 'none can be probed: no domains of maps, no commands of SMMUv3 and AMD';
    return limited(name, found, 'a kernel with CONFIG_KPROBES', '');
  }
  const { found } = chooseProbes(kernel);
  const there = found.filter(({ functions }) => functions.length > 0).map(({ name: probe }) => probe);
  const lacking = found.filter(({ functions }) => functions.length === 0);
  if (lacking.length === 0) return ok(name, there.join(', '));
  const reasons = lacking.map(({ name: probe, lacking: reason }) => `${probe}: ${reason}`).join('; ');
  return limited(
    name,
    [there.join(', '), `not there: ${reasons}`].filter((text) => text !== '').join('; '),
    'the drivers loaded, and BTF of their modules',
    '',
  );
}

/** Turns lines of probes into rows. */
export function probeLines(target: LineTarget): OtherLines {
  const numbers = new DomainNumbers();
  return (tag, [nsecs = '', tid, cpu, ...rest], at, order) => {
    const line = LINES.get(tag);
    const time = at(nsecs);
    const words: Words[] = [];
    for (const text of rest) {
      const word = parseHexWords(text);
      if (word !== undefined) words.push(word);
    }
    if (line === undefined || Number.isNaN(time) || words.length !== line.words || rest.length !== line.words)
      return false;
    if (!/^\d{1,10}$/.test(tid ?? '') || !/^\d{1,5}$/.test(cpu ?? '')) return false;
    const { sink, source } = target;
    order.add(time, (now) => {
      line.write({ sink, source, time: now, cpu: Number(cpu), task: Number(tid), domains: numbers }, words);
    });
    return true;
  };
}
