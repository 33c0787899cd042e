import { DIALECT } from '../schema.ts';
import { formatRequester } from '../units.ts';
import { address, layout, layoutDialect, number } from './command-layout.ts';
import type { LayoutCommand, UndefinedCommand } from './command-layout.ts';
import { VIRTIO_MAP, VIRTIO_REQUEST, virtioRequest } from './virtio-fields.ts';
import { hex } from './word-bits.ts';

/**
 * virtio-iommu requests (Virtio 1.2, 5.13.6; include/uapi/linux/virtio_iommu.h). A trace holds their fields in four words
 * (`virtio-fields.ts`). `last` is the last address of the range, as the request has it.
 */

const DOMAIN = number(0, 63, 32);
const ENDPOINT = number(1, 31, 0);
const FLAGS = number(0, 31, 8);
const FIRST = address(1, 63, 0);
const LAST = address(2, 63, 0);

const op = (request: number): readonly bigint[] => [BigInt(request)];
const ATTACH_FLAGS = 1;
const MAP_FLAGS = VIRTIO_MAP.read | VIRTIO_MAP.write | VIRTIO_MAP.mmio;

const rangeText = (c: { readonly first: bigint; readonly last: bigint }): string => `${hex(c.first)}..${hex(c.last)}`;

function rangeCheck(c: { readonly first: bigint; readonly last: bigint }): readonly string[] {
  return c.last < c.first ? ['the range ends before it begins'] : [];
}

function flagCheck(flags: number, known: number): readonly string[] {
  return (flags & ~known) === 0 ? [] : [`undefined flags ${hex(flags & ~known)}`];
}

function permissions(flags: number): string {
  const words = [
    (flags & VIRTIO_MAP.read) !== 0 ? 'read' : '',
    (flags & VIRTIO_MAP.write) !== 0 ? 'write' : '',
    (flags & VIRTIO_MAP.mmio) !== 0 ? 'mmio' : '',
  ].filter((word) => word !== '');
  return words.length === 0 ? 'no access' : words.join(' ');
}

export const VIRTIO_LAYOUTS = {
  attach: layout(
    op(VIRTIO_REQUEST.attach),
    { domain: DOMAIN, flags: FLAGS, endpoint: ENDPOINT },
    (c) => `endpoint ${formatRequester(c.endpoint)} did ${c.domain}${(c.flags & 1) !== 0 ? ' bypass' : ''}`,
    (c) => flagCheck(c.flags, ATTACH_FLAGS),
  ),
  detach: layout(
    op(VIRTIO_REQUEST.detach),
    { domain: DOMAIN, endpoint: ENDPOINT },
    (c) => `endpoint ${formatRequester(c.endpoint)} did ${c.domain}`,
  ),
  map: layout(
    op(VIRTIO_REQUEST.map),
    { domain: DOMAIN, flags: FLAGS, first: FIRST, last: LAST, phys: address(3, 63, 0) },
    (c) => `did ${c.domain} ${rangeText(c)} -> ${hex(c.phys)} ${permissions(c.flags)}`,
    (c) => [...rangeCheck(c), ...flagCheck(c.flags, MAP_FLAGS)],
  ),
  unmap: layout(
    op(VIRTIO_REQUEST.unmap),
    { domain: DOMAIN, first: FIRST, last: LAST },
    (c) => `did ${c.domain} ${rangeText(c)}`,
    rangeCheck,
  ),
  probe: layout(op(VIRTIO_REQUEST.probe), { endpoint: ENDPOINT }, (c) => `endpoint ${formatRequester(c.endpoint)}`),
} as const;

/** A request of the request queue. */
export type VirtioCommand = LayoutCommand<typeof VIRTIO_LAYOUTS> | UndefinedCommand;

/** By request type, from 1 on. */
const NAMES = Object.keys(VIRTIO_LAYOUTS) as (keyof typeof VIRTIO_LAYOUTS)[];

/** virtio-iommu: requests. */
export const virtioDialect = layoutDialect({
  name: 'virtio',
  id: DIALECT.virtio,
  words: 4,
  layouts: VIRTIO_LAYOUTS,
  opcode: [0xffn],
  typeOf: (w0Lo) => NAMES[virtioRequest(w0Lo) - 1],
  unknown: (w0Lo) => `request ${virtioRequest(w0Lo)}`,
});
