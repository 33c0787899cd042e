import { testOpName } from '../../traces/ioctl-requests.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { StructView } from '../model/iommufd/struct-view.ts';

const TEST_CMD = 0x3ba0;
/** Operations are numbered from 1 on without gaps: none will be here or beyond. */
const MAX_OP = 1024;

/** Numbers that no kernel known here gives a meaning: those between the tables of VFIO and IOMMUFD, and behind IOMMUFD's. */
function unassigned(request: number): boolean {
  const nr = request & 0xff;
  return request >>> 8 === 0x3b && ((nr > 0x79 && nr < 0x80) || (nr > 0x94 && nr < 0xa0) || nr > 0xa0);
}

/**
 * Why a result that differs can't be judged: a newer kernel has requests, operations and fields that the model does not know.
 * `model` is what a kernel without them returns, `recorded` what this one did.
 */
export function beyondModel(
  request: number,
  struct: Uint8Array | null | undefined,
  model: number,
  recorded: number,
): string | undefined {
  if (model === recorded) return undefined;
  if (unassigned(request)) return `request 0x${request.toString(16)} is not known`;
  if (model === -ERRNO.E2BIG) return 'struct is longer than known';
  if (request !== TEST_CMD || model !== -ERRNO.EOPNOTSUPP || !struct) return undefined;
  const op = new StructView(struct).u32(4);
  const unknown = op > 0 && op < MAX_OP && testOpName(op) === String(op);
  return unknown ? `operation ${op} of IOMMU_TEST_CMD is not known` : undefined;
}
