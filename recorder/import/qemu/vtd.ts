import { ByteTable } from '../byte-table.ts';
import { ascii } from '../byte-cursor.ts';
import { LINE, beginsWith } from './device-model.ts';
import type { DeviceModel, DeviceModelRun, QemuLine } from './device-model.ts';
import {
  DECODED_COMMANDS,
  parseDecoded,
  parseDescriptor,
  parseEnable,
  parseQueueSetup,
  parseRootTable,
  parseTail,
  parseUnitReset,
} from './vtd-commands.ts';
import { VtdState } from './vtd-state.ts';
import {
  parseContextUpdate,
  parseFault,
  parseIotlbReset,
  parsePageHit,
  parsePageUpdate,
  parsePassThrough,
  parseTranslate,
} from './vtd-translations.ts';

type LineParser = (state: VtdState, line: QemuLine) => number;

const EVENTS: readonly (readonly [string, LineParser])[] = [
  ['vtd_dmar_translate', parseTranslate],
  ['vtd_iotlb_page_hit', parsePageHit],
  ['vtd_iotlb_page_update', parsePageUpdate],
  ['vtd_iotlb_reset', parseIotlbReset],
  ['vtd_translate_pt', parsePassThrough],
  ['vtd_iotlb_cc_update', parseContextUpdate],
  ['vtd_dmar_fault', parseFault],
  ['vtd_inv_desc', parseDescriptor],
  ['vtd_inv_qi_tail', parseTail],
  ['vtd_inv_qi_setup', parseQueueSetup],
  ['vtd_dmar_enable', parseEnable],
  ['vtd_reset_exit', parseUnitReset],
  ['vtd_reg_dmar_root', parseRootTable],
  ...DECODED_COMMANDS.map((command): readonly [string, LineParser] => [
    command.name,
    (state, line) => parseDecoded(command, state, line),
  ]),
];

const NAMES = new ByteTable();
const PARSERS = EVENTS.map(([name, parser]) => {
  const bytes = ascii(name);
  NAMES.add(bytes, 0, bytes.length);
  return parser;
});

/** Events of interrupt remapping begin so: `vtd_ir_remap`, `vtd_ir_irte_get`. */
const REMAPPING = ascii('vtd_ir_');

/**
 * QEMU's Intel VT-d model: what its IOTLB answered, and the commands that it was given. All its other events (interrupt
 * remapping, registers, page walks, address spaces) are known and not carried.
 */
export const vtd: DeviceModel = {
  prefixes: ['vtd_'],
  iommu: 'vtd',
  fidelity: { dma: 'full', inv: 'full', fault: 'full', attach: 'partial' },
  create: () => new VtdRun(),
};

class VtdRun implements DeviceModelRun {
  readonly #state = new VtdState();

  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    const id = NAMES.find(bytes, nameStart, nameEnd);
    if (id >= 0) return PARSERS[id]!(this.#state, line);
    return beginsWith(bytes, nameStart, nameEnd, REMAPPING) ? LINE.interrupt : LINE.ignored;
  }

  end(): ReadonlyMap<string, number> {
    return this.#state.end();
  }
}
