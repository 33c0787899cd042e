import { DIALECT, INV_FORM, STREAM_ID } from '../../../../traces/schema.ts';
import { ABSENT } from '../../../../traces/units.ts';
import type { Words } from '../../../import/calls/words.ts';
import { textOfWords } from '../open-file.ts';
import type { KernelProbe, ProbeLine, ProbeRow } from './kernel-probe.ts';
import { findFunction, wordFormat, wordsFrom } from './kernel-probe.ts';

/** Commands of a batch that are printed; SMMUv3's driver sends 64 at once (arm-smmu-v3.h, CMDQ_BATCH_ENTRIES), VT-d's 16. */
const MAX_BATCH = 64;

function writeCommand(
  { sink, time, cpu, task, source }: ProbeRow,
  dialect: number,
  unit: string,
  words: readonly Words[],
): void {
  const row = sink.begin(STREAM_ID.inv, time, cpu, task, source);
  const { columns } = sink.rows.inv;
  columns.unit[row] = unit === '' ? ABSENT : sink.intern(unit);
  columns.dialect[row] = dialect;
  columns.form[row] = INV_FORM.words;
  columns.w0Lo[row] = words[0]?.lo ?? 0;
  columns.w0Hi[row] = words[0]?.hi ?? 0;
  columns.w1Lo[row] = words[1]?.lo ?? 0;
  columns.w1Hi[row] = words[1]?.hi ?? 0;
  columns.w2Lo[row] = words[2]?.lo ?? 0;
  columns.w2Hi[row] = words[2]?.hi ?? 0;
  columns.w3Lo[row] = words[3]?.lo ?? 0;
  columns.w3Hi[row] = words[3]?.hi ?? 0;
}

/** A line with the words of the unit's name, then those of the command. */
function commandLine(tag: string, dialect: number, nameWords: number, words: number): ProbeLine {
  return {
    tag,
    words: nameWords + words,
    write: (row, values) =>
      writeCommand(row, dialect, textOfWords(values.slice(0, nameWords)), values.slice(nameWords)),
  };
}

/** One line for each command of an array. */
function batch(tag: string, count: string, array: string, bytes: number, name: string, nameWords: number): string {
  const words = bytes / 8;
  return `
  $i = (uint64)0; $n = (uint64)${count};
  while ($i < ${MAX_BATCH}) {
    if ($i >= $n) { break; }
    $c = ${array} + $i * ${bytes};
    printf("${tag} %llx %d %d${wordFormat(nameWords + words)}\\n", nsecs, tid, cpu, ${wordsFrom(name, nameWords)}, ${wordsFrom('$c', words)});
    $i = $i + 1;
  }`;
}

/** `qi_submit_sync` of drivers/iommu/intel/dmar.c: descriptors of 32 bytes, and the wait that it adds itself. */
export const vtdCommands: KernelProbe = {
  name: 'vtd-commands',
  sees: "VT-d's descriptors as they are handed to the queue, the one that waits for them excepted",
  streams: { inv: 'partial' },
  plan(kernel) {
    const submit = findFunction(kernel, [], ['qi_submit_sync'], {
      iommu: 'struct intel_iommu *',
      desc: 'struct qi_desc *',
      count: 'unsigned int',
    });
    if ('lacking' in submit) return submit;
    const name = kernel.offset([], 'intel_iommu', 'name');
    if (name === undefined) return { lacking: 'struct intel_iommu has no name' };
    const { at } = submit;
    const loop = batch('KV', `arg${at['count']} & 0xffffffff`, '$d', 32, '$u', 1);
    const program = `
kprobe:${submit.name} {
  $u = (uint64)arg${at['iommu']} + ${name}; $d = (uint64)arg${at['desc']};${loop}
}
`;
    return { program, functions: [submit.name] };
  },
  lines: [commandLine('KV', DIALECT.vtd, 1, 4)],
};

const SMMU_MODULES = ['arm_smmu_v3'];

/** `arm_smmu_cmdq_issue_cmdlist` of drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: commands of two words; CMD_SYNC is added behind them. */
export const smmuv3Commands: KernelProbe = {
  name: 'smmuv3-commands',
  sees: "SMMUv3's commands as they are handed to the queue, the CMD_SYNC behind them excepted",
  streams: { inv: 'partial' },
  plan(kernel) {
    const issue = findFunction(kernel, SMMU_MODULES, ['arm_smmu_cmdq_issue_cmdlist'], {
      smmu: 'struct arm_smmu_device *',
      cmds: 'u64 *',
      n: 'int',
    });
    if ('lacking' in issue) return issue;
    const device = kernel.offset(SMMU_MODULES, 'arm_smmu_device', 'dev');
    const name = kernel.offset(SMMU_MODULES, 'device', 'kobj', 'name');
    if (device === undefined || name === undefined) return { lacking: 'struct arm_smmu_device has no dev' };
    const { at } = issue;
    const loop = batch('KS', `arg${at['n']} & 0xffffffff`, '$d', 16, '$u', 4);
    const program = `
kprobe:${issue.name} {
  $dev = *(uint64*)kptr((uint64)arg${at['smmu']} + ${device});
  $u = *(uint64*)kptr($dev + ${name}); $d = (uint64)arg${at['cmds']};${loop}
}
`;
    return { program, functions: [issue.name] };
  },
  lines: [commandLine('KS', DIALECT.smmuv3, 4, 2)],
};

/** The function that puts a command of two words into AMD's buffer, waits as well (drivers/iommu/amd/iommu.c). */
export const amdCommands: KernelProbe = {
  name: 'amd-commands',
  sees: "all of AMD's commands, COMPLETION_WAIT included",
  streams: { inv: 'full' },
  plan(kernel) {
    // The inner one where there are two: waits go by it alone.
    const queue = findFunction(kernel, [], ['__iommu_queue_command_sync', 'iommu_queue_command_sync'], {
      iommu: 'struct amd_iommu *',
      cmd: 'struct iommu_cmd *',
    });
    if ('lacking' in queue) return queue;
    const index = kernel.offset([], 'amd_iommu', 'index');
    if (index === undefined) return { lacking: 'struct amd_iommu has no index' };
    const { at } = queue;
    const program = `
kprobe:${queue.name} {
  $c = (uint64)arg${at['cmd']}; $u = (uint64)*(uint32*)kptr((uint64)arg${at['iommu']} + ${index});
  printf("KD %llx %d %d${wordFormat(3)}\\n", nsecs, tid, cpu, $u, ${wordsFrom('$c', 2)});
}
`;
    return { program, functions: [queue.name] };
  },
  lines: [
    {
      tag: 'KD',
      words: 3,
      // As in /sys/class/iommu (drivers/iommu/amd/init.c).
      write: (row, [index, ...words]) => writeCommand(row, DIALECT.amd, `ivhd${index?.lo ?? 0}`, words),
    },
  ],
};
