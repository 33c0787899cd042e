/** BTF of a few types, as a kernel with drivers that this machine lacks would have it. */

type Member = readonly [name: string, type: string];

/** `struct NAME` with its fields in order, of 8 bytes each but for nested structs; functions with their parameters. */
export interface FakeTypes {
  readonly structs: { readonly [name: string]: readonly Member[] };
  readonly functions: { readonly [name: string]: readonly Member[] };
}

const KIND = { int: 1, pointer: 2, struct: 4, enum: 6, typedef: 8, function: 12, prototype: 13 } as const;
const TYPEDEFS = ['u64', 'size_t', 'phys_addr_t', 'gfp_t'];

/** Types by their text: `struct device *`, `u64 *`, `int`. */
export function fakeBtf({ structs, functions }: FakeTypes): Uint8Array {
  const words: number[] = [];
  const ids = new Map<string, number>();
  let text = '\0';
  let types = 0;
  const string = (value: string): number => {
    if (value === '') return 0;
    text += `${value}\0`;
    return text.length - value.length - 1;
  };
  const add = (name: string, kind: number, parts: number, size: number, rest: readonly number[]): number => {
    words.push(string(name), ((kind << 24) | parts) >>> 0, size, ...rest);
    return ++types;
  };
  const idOf = (type: string): number => {
    if (type === 'void') return 0;
    const known = ids.get(type);
    if (known !== undefined) return known;
    let id: number;
    if (type.endsWith(' *')) id = add('', KIND.pointer, 0, idOf(type.slice(0, -2)), []);
    else if (type.startsWith('struct ')) id = structOf(type.slice(7));
    else if (type.startsWith('enum ')) id = add(type.slice(5), KIND.enum, 0, 4, []);
    else if (TYPEDEFS.includes(type)) id = add(type, KIND.typedef, 0, idOf('long unsigned int'), []);
    else id = add(type, KIND.int, 0, 8, [64]);
    ids.set(type, id);
    return id;
  };
  const sizeOf = (type: string): number =>
    type.startsWith('struct ') && !type.endsWith('*')
      ? (structs[type.slice(7)] ?? []).reduce((sum, [, inner]) => sum + sizeOf(inner), 0)
      : 8;
  const structOf = (name: string): number => {
    const members = structs[name] ?? [];
    const fields = members.map(([field, type]) => [field, idOf(type)] as const);
    let at = 0;
    const rest = fields.flatMap(([field, id], i) => {
      const offset = at * 8;
      at += sizeOf(members[i]?.[1] ?? '');
      return [string(field), id, offset];
    });
    return add(name, KIND.struct, fields.length, at, rest);
  };
  for (const [name, parameters] of Object.entries(functions)) {
    const rest = parameters.flatMap(([parameter, type]) => {
      const id = idOf(type);
      return [string(parameter), id];
    });
    const proto = add('', KIND.prototype, parameters.length, 0, rest);
    add(name, KIND.function, 0, proto, []);
  }
  for (const name of Object.keys(structs)) idOf(`struct ${name}`);
  const body = Buffer.from(Uint32Array.from(words).buffer);
  const strings = Buffer.from(text, 'latin1');
  const head = Buffer.alloc(24);
  head.writeUInt16LE(0xeb9f, 0);
  head.writeUInt8(1, 2);
  head.writeUInt32LE(24, 4);
  head.writeUInt32LE(0, 8);
  head.writeUInt32LE(body.length, 12);
  head.writeUInt32LE(body.length, 16);
  head.writeUInt32LE(strings.length, 20);
  return Buffer.concat([head, body, strings]);
}

/** The functions and structs that all probes rely on, as Linux 6.18 has them. */
export const EVERY_FUNCTION: FakeTypes = {
  structs: {
    kobject: [['name', 'char *']],
    device: [
      ['parent', 'void *'],
      ['kobj', 'struct kobject'],
    ],
    iommu_domain: [['type', 'long unsigned int']],
    intel_iommu: [
      ['reg', 'void *'],
      ['name', 'u64'],
    ],
    qi_desc: [['qw0', 'u64']],
    arm_smmu_device: [
      ['lock', 'u64'],
      ['dev', 'struct device *'],
    ],
    arm_smmu_cmdq: [['prod', 'u64']],
    amd_iommu: [
      ['list', 'u64'],
      ['index', 'int'],
    ],
    iommu_cmd: [['data', 'u64']],
    iommu_fault_page_request: [
      ['flags', 'u64'],
      ['pasid', 'u64'],
      ['grpid', 'u64'],
      ['perm', 'u64'],
      ['addr', 'u64'],
    ],
    iommu_fault: [
      ['type', 'u64'],
      ['prm', 'struct iommu_fault_page_request'],
    ],
    iopf_fault: [['fault', 'struct iommu_fault']],
    iommu_fault_param: [['dev', 'struct device *']],
    iopf_group: [
      ['last_fault', 'struct iopf_fault'],
      ['fault_param', 'struct iommu_fault_param *'],
    ],
  },
  functions: {
    iommu_map_nosync: [
      ['domain', 'struct iommu_domain *'],
      ['iova', 'long unsigned int'],
      ['paddr', 'phys_addr_t'],
      ['size', 'size_t'],
      ['prot', 'int'],
      ['gfp', 'gfp_t'],
    ],
    __iommu_unmap: [
      ['domain', 'struct iommu_domain *'],
      ['iova', 'long unsigned int'],
      ['size', 'size_t'],
    ],
    __iommu_attach_device: [
      ['domain', 'struct iommu_domain *'],
      ['dev', 'struct device *'],
    ],
    iommu_domain_free: [['domain', 'struct iommu_domain *']],
    qi_submit_sync: [
      ['iommu', 'struct intel_iommu *'],
      ['desc', 'struct qi_desc *'],
      ['count', 'unsigned int'],
      ['options', 'long unsigned int'],
    ],
    arm_smmu_cmdq_issue_cmdlist: [
      ['smmu', 'struct arm_smmu_device *'],
      ['cmdq', 'struct arm_smmu_cmdq *'],
      ['cmds', 'u64 *'],
      ['n', 'int'],
      ['sync', 'bool'],
    ],
    iommu_queue_command_sync: [
      ['iommu', 'struct amd_iommu *'],
      ['cmd', 'struct iommu_cmd *'],
      ['sync', 'bool'],
    ],
    iommu_report_device_fault: [
      ['dev', 'struct device *'],
      ['evt', 'struct iopf_fault *'],
    ],
    iopf_group_response: [
      ['group', 'struct iopf_group *'],
      ['status', 'enum iommu_page_response_code'],
    ],
  },
};
