import { ERRNO } from '../errno.ts';
import { Unjudged } from '../unjudged.ts';
import { noIommuBuilt } from './build-options.ts';
import { EXTENSION, VFIO } from './requests.ts';
import { Type1 } from './type1.ts';
import type { VfioCall, VfioFile } from './vfio-file.ts';

const NESTING = 'nesting-container';

/** /dev/vfio/vfio without iommufd behind it (drivers/vfio/container.c). */
export class VfioContainer implements VfioFile {
  readonly kind = 'vfioContainer';
  refs = 0;
  /** Groups that were put into it; with the last the mappings go. */
  #groups = 0;
  #type1: Type1 | undefined = undefined;

  /** Whether SET_IOMMU was done: nothing can be mapped before. */
  get typed(): boolean {
    return this.#type1 !== undefined;
  }

  /** 0, or a negative errno after which the group is not in it. */
  addGroup(): number {
    const ret = this.#type1?.attachGroup() ?? 0;
    if (ret === 0) this.#groups++;
    return ret;
  }

  removeGroup(): void {
    this.#groups--;
    if (this.#groups === 0) this.release();
  }

  ioctl(call: VfioCall): number {
    switch (call.request) {
      case VFIO.getApiVersion:
        return 0;
      case VFIO.checkExtension:
        return this.#extension(call);
      case VFIO.setIommu:
        return this.#setIommu(call);
      case VFIO.iommuGetInfo:
        return this.#type1?.getInfo(call) ?? -ERRNO.EINVAL;
      case VFIO.iommuMapDma:
        return this.#type1?.map(call) ?? -ERRNO.EINVAL;
      case VFIO.iommuUnmapDma:
        return this.#type1?.unmap(call) ?? -ERRNO.EINVAL;
      case VFIO.iommuDirtyPages:
        return this.#type1?.dirtyPages(call) ?? -ERRNO.EINVAL;
      default:
        return this.#type1 === undefined ? -ERRNO.EINVAL : -ERRNO.ENOTTY;
    }
  }

  release(): void {
    this.#type1?.release();
    this.#type1 = undefined;
  }

  #extension({ machine, argument }: VfioCall): number {
    switch (Number(argument)) {
      case EXTENSION.type1:
      case EXTENSION.type1v2:
      case EXTENSION.unmapAll:
        return 1;
      case EXTENSION.updateVaddr:
        return this.#type1 === undefined ? 0 : 1;
      case EXTENSION.dmaCc:
        if (this.#type1 === undefined) return 0;
        throw new Unjudged('whether the IOMMU enforces coherency is not known');
      case EXTENSION.noIommu:
        return noIommuBuilt(machine);
      case EXTENSION.nesting:
        if (!machine.quirk(NESTING)) return 0;
        machine.needed(NESTING);
        return 1;
      default:
        return 0;
    }
  }

  #setIommu({ machine, argument }: VfioCall): number {
    const type = Number(argument);
    if (this.#groups === 0 || this.#type1 !== undefined) return -ERRNO.EINVAL;
    if (type === EXTENSION.nesting && machine.quirk(NESTING)) {
      throw new Unjudged('whether the IOMMU nests is not known', () => {
        this.#type1 = new Type1(EXTENSION.type1v2, machine);
      });
    }
    if (type !== EXTENSION.type1 && type !== EXTENSION.type1v2) return -ERRNO.ENODEV;
    this.#type1 = new Type1(type, machine);
    return 0;
  }
}
