import type { Area } from './area-tree.ts';

/** An IOAS that maps a dma-buf: told when an area of it is about to lose its memory. */
interface Importer {
  memoryGoes(area: Area): void;
}

/**
 * A dma-buf's exporter can take its memory away, for good as far as what is mapped now is concerned: every notice of it, also
 * that the memory is back, takes the mappings of today's importers down, and nothing maps it for them again
 * (drivers/iommu/iommufd/pages.c, iopt_revoke_notify). Later MAP_FILEs get the memory that is back.
 */
export class DmaBuffer {
  revoked = false;
  /** How often importers were told that the memory moved. */
  revocations = 0;
  readonly #areas = new Map<Area, Importer>();

  mapped(area: Area, importer: Importer): void {
    this.#areas.set(area, importer);
  }

  unmapped(area: Area): void {
    this.#areas.delete(area);
  }

  /** dma_buf_invalidate_mappings: importers are told. */
  notify(revoked: boolean): void {
    for (const [area, importer] of this.#areas) importer.memoryGoes(area);
    this.revocations++;
    this.revoked = revoked;
  }

  /** An exporter that tells only of changes (drivers/vfio/pci/vfio_pci_dmabuf.c, vfio_pci_dma_buf_move). */
  move(revoked: boolean): void {
    if (this.revoked !== revoked) this.notify(revoked);
  }
}
