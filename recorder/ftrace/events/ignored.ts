/**
 * Events that are known and change nothing that a trace holds, as `system:name`: cache maintenance and calls that failed, flushes
 * of the CPU's own TLB, faults of its own page tables, what KVM does for its guests. Dirty rings name a slot and an offset of a guest's
 * memory, no domain and no address of a device: they are no `dirty` rows, and kept as `event` where they are asked for.
 */
export const IGNORED_EVENTS: readonly string[] = [
  ...[
    'dma_sync_single_for_cpu',
    'dma_sync_single_for_device',
    'dma_sync_sg_for_cpu',
    'dma_sync_sg_for_device',
    'dma_map_sg_err',
    'dma_alloc_sgt_err',
  ].map((name) => `dma:${name}`),
  'tlb:tlb_flush',
  'exceptions:page_fault_user',
  'exceptions:page_fault_kernel',
  ...[
    'kvm_dirty_ring_push',
    'kvm_dirty_ring_reset',
    'kvm_dirty_ring_exit',
    'kvm_entry',
    'kvm_exit',
    'kvm_page_fault',
    'kvm_pml_full',
  ].map((name) => `kvm:${name}`),
  ...['kvm_tdp_mmu_spte_changed', 'fast_page_fault', 'kvm_mmu_set_dirty_bit', 'kvm_mmu_set_accessed_bit'].map(
    (name) => `kvmmmu:${name}`,
  ),
];
