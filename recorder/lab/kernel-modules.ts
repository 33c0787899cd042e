/** A kernel module's name as `insmod` and `depends=` have it: `nvme_core` for `nvme-core.ko.xz`. */
export function moduleName(file: string): string {
  return (file.split('/').at(-1) ?? file).replace(/\.ko(\.(xz|gz|zst))?$/, '').replaceAll('-', '_');
}

/** Modules that a module needs first, from the `depends=` of its .modinfo section: NUL-separated `key=value`. */
export function moduleDependencies(module: Uint8Array): readonly string[] {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.byteLength);
  const key = '\0depends=';
  const at = bytes.indexOf(key, 0, 'latin1');
  if (at === -1) return [];
  const from = at + key.length;
  const end = bytes.indexOf(0, from);
  const value = bytes.toString('latin1', from, end === -1 ? bytes.length : end);
  return value
    .split(',')
    .filter((name) => name !== '')
    .map(moduleName);
}

/** The wanted modules and all that they need, each after what it needs. `dependencies` of a name: undefined if it is built in. */
export function loadOrder(
  wanted: readonly string[],
  dependencies: (name: string) => readonly string[] | undefined,
): readonly string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const needs = dependencies(name);
    if (needs === undefined) return;
    for (const need of needs) visit(need);
    order.push(name);
  };
  for (const name of wanted) visit(name);
  return order;
}
