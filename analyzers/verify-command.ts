import { setImmediate as turn } from 'node:timers/promises';
import { DESIGNS } from '../replay/designs/designs.ts';
import { AS_RECORDED, DRIVER_NAMES } from '../replay/engine/chosen-hardware.ts';
import { VERIFY_KINDS, verifyKinds, verifySteps } from '../replay/engine/verify.ts';
import { HARDWARE, hardwareProfile, withSettings } from '../replay/hardware/profiles.ts';
import type { CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { toolVersion } from '../traces/tool.ts';
import { jsonRenderer, terminalRenderer } from './report/index.ts';
import { HARDWARE_KNOBS } from './model-words.ts';

const DIVERGED = 3;

export const verifyCommand: CommandSpec = {
  name: 'verify',
  summary:
    'compares every recorded outcome with what the model says; exit 3 if any differs or there is nothing to check',
  args: ['FILE'],
  options: [
    {
      flags: '--only <kinds>',
      values: VERIFY_KINDS,
      list: true,
      description:
        'of dma (hit or miss, output address, resets), inv (commands), ioctl, pri (fault records, responses); comma-separated',
    },
    {
      flags: '--hardware <name>',
      description: "whose caches recorded the accesses: 'auto' tells QEMU's versions apart",
      default: 'auto',
      choices: ['auto', ...HARDWARE.map(({ name }) => name)],
    },
    {
      flags: '--set <name=value>',
      values: HARDWARE_KNOBS,
      list: true,
      description: 'a parameter of the hardware: capacity=1024; repeatable',
      repeatable: true,
    },
    {
      flags: '--driver <name>',
      description:
        "IOMMU driver under VFIO devices, whose rules ioctls are compared with: 'as-recorded' takes its answers from the trace, 'auto' tells it by GET_HW_INFO or the header",
      default: AS_RECORDED,
      choices: DRIVER_NAMES,
    },
    {
      flags: '--design <name>',
      description: 'whose commands are expected; found out from the trace if not given',
      choices: DESIGNS.map(({ name }) => name),
    },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr verify run.iorr', does: 'all that the trace can tell' },
    { command: 'iorr verify q.iorr --only dma', does: "each recorded translation against the model's" },
    { command: 'iorr verify run.iorr --only inv --json', does: 'each recorded command against those of the design' },
  ],
  async run({ args, options, io }) {
    const file = args[0];
    if (file === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr verify run.iorr' });
    const only = typeof options['only'] === 'string' ? verifyKinds(options['only']) : undefined;
    const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
    const named = String(options['hardware']);
    const design = typeof options['design'] === 'string' ? options['design'] : undefined;
    const driver = String(options['driver']);
    const trace = openTrace(file);
    const progress = io.progress('verifying', trace.eventCount);
    try {
      const chosen = named !== 'auto' || settings.length > 0;
      const steps = verifySteps(trace, {
        ...(only === undefined ? {} : { only }),
        ...(chosen ? { hardware: withSettings(hardwareProfile(named, trace.header), settings) } : {}),
        ...(design === undefined ? {} : { design }),
        driver,
      });
      let step = steps.next();
      for (let n = 0; step.done !== true; n++, step = steps.next()) {
        progress.update(step.value);
        if (n % 16 === 0) await turn();
        if (io.signal.aborted) return INTERRUPTED;
      }
      progress.stop();
      const report = makeEnvelope('verify', {
        version: toolVersion(),
        input: [describeInput(file, trace, trace.bytes)],
        options: { only: only ?? [], hardware: named, set: settings, design: design ?? null, driver },
        health: trace.health,
        result: step.value,
      });
      const renderer = options['json'] === true ? jsonRenderer : terminalRenderer;
      io.out(renderer.render(report, { columns: io.columns, colour: io.colour }));
      return step.value.diverged > 0 ? DIVERGED : 0;
    } finally {
      progress.stop();
      trace.close();
    }
  },
};
