import type { ContextTree, ObjectNode } from '../replay/model/iommufd/object-tree.ts';
import { printable } from './report/escape.ts';
import { formatNs, formatNumberOf } from './report/format-units.ts';

const INDENT = '  ';

const NAMES: { readonly [T in ObjectNode['type']]: string } = {
  ioas: 'IOAS',
  hwptPaging: 'HWPT (paging)',
  hwptNested: 'HWPT (nested)',
  device: 'device',
  access: 'access',
  fault: 'fault queue',
  viommu: 'vIOMMU',
  veventq: 'vEVENTQ',
  vdevice: 'vDEVICE',
  hwQueue: 'HW_QUEUE',
  selftest: 'mock device',
};

function nodeText({ id, type, heldBy, facts }: ObjectNode): string {
  const told = Object.entries(facts).map(([name, value]) => (value === true ? name : `${name} ${String(value)}`));
  const held = heldBy === 0 ? [] : [`held by ${heldBy}`];
  return `${id} ${NAMES[type]}${[...told, ...held].map((fact) => `, ${fact}`).join('')}`;
}

/** An object below what it is made on or attached to; one that uses two stands below both, its own branch only below the first. */
function branch(node: ObjectNode, objects: readonly ObjectNode[], depth: number, shown: Set<number>): string[] {
  const line = INDENT.repeat(depth) + nodeText(node);
  if (shown.has(node.id)) return [`${line} (above)`];
  shown.add(node.id);
  const users = objects.filter(({ uses }) => uses.includes(node.id));
  return [line, ...users.flatMap((user) => branch(user, objects, depth + 1, shown))];
}

function contextText({ fds, whole, objects }: ContextTree): string[] {
  const holders = fds.map(({ pid, fd }) =>
    fd < 0 ? 'fd not recorded' : `fd ${fd}${pid < 0 ? '' : ` of process ${pid}`}`,
  );
  const known = whole ? '' : ', opened before the recording: there may be more';
  const shown = new Set<number>();
  const roots = objects.filter(({ uses }) => uses.length === 0);
  return [
    `/dev/iommu, ${holders.join(', ')}: ${formatNumberOf(objects.length, 'object')}${known}`,
    ...roots.flatMap((root) => branch(root, objects, 1, shown)),
  ];
}

/** For people. `file` is the trace's name, `at` the time in ns. */
export function objectTreeText(file: string, at: number, contexts: readonly ContextTree[]): string {
  const open = formatNumberOf(contexts.length, 'open IOMMUFD context');
  const lines = [`${printable(file)} at ${formatNs(at)}: ${open}, by the model`, ...contexts.flatMap(contextText)];
  return `${lines.join('\n')}\n`;
}
