import { AMD_COMMAND } from '../../../traces/dialects/amd-fields.ts';
import { ABSENT } from '../../../traces/units.ts';
import { parseBare, parseDeviceEntry, parsePages, parseRegisterWrite, parseWait } from './amdvi-commands.ts';
import { AmdviState, flushFault, flushLookup, writeLooseReset } from './amdvi-state.ts';
import { parseHit, parsePageFault, parseReset, parseResult, parseUpdate } from './amdvi-translations.ts';
import { LINE } from './device-model.ts';
import type { DeviceModel, DeviceModelRun, QemuLine } from './device-model.ts';
import { EventTable } from './event-table.ts';

/** hw/i386/trace-events. */
const EVENTS = new EventTable<AmdviState>(
  {
    amdvi_translation_result: parseResult,
    amdvi_cache_update: parseUpdate,
    amdvi_iotlb_hit: parseHit,
    amdvi_iotlb_reset: parseReset,
    amdvi_page_fault: parsePageFault,
    amdvi_mmio_write: parseRegisterWrite,
    amdvi_command_exec: () => LINE.folded,
    amdvi_completion_wait: parseWait,
    amdvi_pages_inval: parsePages,
    amdvi_devtab_inval: parseDeviceEntry,
    amdvi_intr_inval: parseBare(AMD_COMMAND.interruptTable),
    amdvi_iotlb_inval: parseBare(AMD_COMMAND.iotlbPages),
    amdvi_prefetch_pages: parseBare(AMD_COMMAND.prefetch),
    amdvi_ppr_exec: parseBare(AMD_COMMAND.completePpr),
    amdvi_all_inval: parseBare(AMD_COMMAND.all),
  },
  [
    'amdvi_evntlog_fail',
    'amdvi_completion_wait_fail',
    'amdvi_mmio_read',
    'amdvi_mmio_read_invalid',
    'amdvi_command_error',
    'amdvi_command_read_fail',
    'amdvi_unhandled_command',
    'amdvi_control_status',
    'amdvi_dte_get_fail',
    'amdvi_invalid_dte',
    'amdvi_get_pte_hwerror',
    'amdvi_mode_invalid',
    'amdvi_err',
    'amdvi_generate_msi_interrupt',
  ],
  ['amdvi_ir_', 'amdvi_mem_ir_'],
);

/** QEMU's AMD IOMMU: what its IOTLB answered, and the commands that it was given, as far as their lines say. */
export const amdvi: DeviceModel = {
  prefixes: ['amdvi_'],
  iommu: 'amd',
  fidelity: { dma: 'full', inv: 'partial', fault: 'full', attach: 'partial' },
  create: () => new AmdviRun(),
};

class AmdviRun implements DeviceModelRun {
  readonly #state = new AmdviState();

  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    return EVENTS.parse(this.#state, line, bytes, nameStart, nameEnd);
  }

  end(line: QemuLine): ReadonlyMap<string, number> {
    flushLookup(this.#state, line);
    writeLooseReset(this.#state, line);
    flushFault(this.#state, line, ABSENT);
    return new Map();
  }
}
