import { CacheEntries } from './cache-entries.ts';
import type { Iotlb } from './iotlb.ts';

/** Hardware without a translation cache: every access walks (QEMU's virtio-iommu). */
export class NoIotlb implements Iotlb {
  readonly entries: CacheEntries = new CacheEntries(0);
  readonly wasReset = false;

  lookup(): number {
    return -1;
  }

  insert(): number {
    return -1;
  }

  drop(): void {}

  dropAll(): number {
    return 0;
  }

  dropMatching(): number {
    return 0;
  }

  dropPages(): number {
    return 0;
  }
}
