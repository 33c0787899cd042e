import type { DeviceModel, DeviceModelRun, QemuLine } from './device-model.ts';
import { EventTable } from './event-table.ts';
import {
  finishCommand,
  parseAsid,
  parseAsidVmid,
  parseCd,
  parseConsume,
  parseEffect,
  parseInvalidateAll,
  parseOpcode,
  parseQueueEnd,
  parseRange,
  parseSte,
  parseSteRange,
  parseUnitReset,
  parseVmid,
} from './smmuv3-commands.ts';
import { Smmuv3State } from './smmuv3-state.ts';
import {
  parseAbort,
  parseBypass,
  parseConfigMiss,
  parseEvent,
  parseHit,
  parseInsert,
  parseMiss,
  parseSuccess,
} from './smmuv3-translations.ts';

/** By QEMU's names, 7.2 to 11 (hw/arm/trace-events). */
const EVENTS = new EventTable<Smmuv3State>(
  {
    smmuv3_translate_success: parseSuccess,
    smmu_iotlb_lookup_miss: parseMiss,
    smmu_iotlb_lookup_hit: parseHit,
    smmu_iotlb_insert: parseInsert,
    smmuv3_cmdq_consume: parseConsume,
    smmuv3_cmdq_opcode: parseOpcode,
    smmuv3_cmdq_consume_out: parseQueueEnd,
    smmuv3_cmdq_consume_error: parseQueueEnd,
    smmuv3_range_inval: parseRange,
    smmuv3_s1_range_inval: parseRange,
    smmuv3_cmdq_tlbi_nh: parseVmid,
    smmuv3_cmdq_tlbi_nh_asid: parseAsid,
    smmuv3_cmdq_tlbi_s12_vmid: parseVmid,
    smmuv3_cmdq_tlbi_nsnh: parseEffect,
    smmuv3_cmdq_cfgi_ste: parseSte,
    smmuv3_cmdq_cfgi_ste_range: parseSteRange,
    smmuv3_cmdq_cfgi_cd: parseCd,
    smmuv3_unhandled_cmd: parseEffect,
    smmu_iotlb_inv_all: parseInvalidateAll,
    smmu_iotlb_inv_asid: parseAsidVmid,
    smmu_iotlb_inv_asid_vmid: parseAsidVmid,
    smmu_iotlb_inv_vmid: parseEffect,
    smmu_iotlb_inv_vmid_s1: parseEffect,
    smmu_iotlb_inv_iova: parseEffect,
    smmu_configs_inv_sid_range: parseEffect,
    smmu_config_cache_inv: parseEffect,
    smmuv3_config_cache_inv: parseEffect,
    smmuv3_config_cache_miss: parseConfigMiss,
    smmuv3_translate_disable: parseBypass,
    smmuv3_translate_bypass: parseBypass,
    smmuv3_translate_abort: parseAbort,
    smmuv3_record_event: parseEvent,
    smmuv3_propagate_event: parseEvent,
    smmu_reset_exit: parseUnitReset,
  },
  [
    'smmu_add_mr',
    'smmu_set_iommu_device',
    'smmu_unset_iommu_device',
    'smmu_ptw_level',
    'smmu_ptw_invalid_pte',
    'smmu_ptw_page_pte',
    'smmu_ptw_block_pte',
    'smmu_get_pte',
    'smmu_page_walk',
    'smmu_lookup_table',
    'smmu_inv_notifiers_mr',
    'smmuv3_read_mmio',
    'smmuv3_write_mmio',
    'smmuv3_write_mmio_idr',
    'smmuv3_trigger_irq',
    'smmuv3_write_gerror',
    'smmuv3_write_gerrorn',
    'smmuv3_find_ste',
    'smmuv3_find_ste_2lvl',
    'smmuv3_get_ste',
    'smmuv3_get_cd',
    'smmuv3_decode_cd',
    'smmuv3_decode_cd_tt',
    'smmuv3_config_cache_hit',
    'smmuv3_notify_flag_add',
    'smmuv3_notify_flag_del',
    'smmuv3_inv_notifiers_iova',
    'smmuv3_get_device_info',
    'smmuv3_install_nested_ste',
    'smmuv3_accel_set_iommu_device',
    'smmuv3_accel_unset_iommu_device',
    'smmuv3_accel_translate_ste',
    'smmuv3_accel_install_ste',
  ],
);

/**
 * QEMU's Arm SMMUv3: what its IOTLB answered, and the commands that it was given, in the words that their fields make. Domains
 * are ASID | VMID << 16.
 */
export const smmuv3: DeviceModel = {
  prefixes: ['smmuv3_', 'smmu_'],
  iommu: 'smmuv3',
  fidelity: { dma: 'full', inv: 'full', fault: 'full', attach: 'partial' },
  create: () => new Smmuv3Run(),
};

class Smmuv3Run implements DeviceModelRun {
  readonly #state = new Smmuv3State();

  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    return EVENTS.parse(this.#state, line, bytes, nameStart, nameEnd);
  }

  end(line: QemuLine): ReadonlyMap<string, number> {
    finishCommand(this.#state, line);
    return this.#state.end();
  }
}
