import type { Access, System } from '../system.ts';

/** A machine made of a table of files, for tests. A value is a file's text or bytes, or where a link points. */
export interface FakeMachine {
  readonly files?: { readonly [path: string]: string | Uint8Array };
  readonly links?: { readonly [path: string]: string };
  /** Paths that may be read but not written; all others may. */
  readonly readOnly?: readonly string[];
  /** Paths that may be neither read nor written. */
  readonly denied?: readonly string[];
  readonly programs?: readonly string[];
  readonly uid?: number;
  readonly capabilities?: bigint;
}

/** All capabilities. */
const EVERY_CAPABILITY = (1n << 41n) - 1n;

export function fakeSystem(machine: FakeMachine): System {
  const { files = {}, links = {}, readOnly = [], denied = [], programs = [], uid = 0 } = machine;
  const paths = [...Object.keys(files), ...Object.keys(links)];
  const bytesOf = (path: string): Uint8Array | undefined => {
    const content = denied.includes(path) ? undefined : files[path];
    return typeof content === 'string' ? Buffer.from(content) : content;
  };
  const access = (path: string): Access => {
    if (!paths.some((one) => one === path || one.startsWith(`${path}/`))) return 'absent';
    if (denied.includes(path)) return 'denied';
    return readOnly.includes(path) ? 'read' : 'write';
  };
  return {
    platform: 'linux',
    uid,
    capabilities: machine.capabilities ?? (uid === 0 ? EVERY_CAPABILITY : 0n),
    kernel: '6.12.1-test',
    architecture: 'x86_64',
    cpus: 4,
    read: (path) => {
      const bytes = bytesOf(path);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString();
    },
    bytes: bytesOf,
    list: (folder) => {
      const below = paths.filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(below.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))].sort();
    },
    link: (path) => links[path]?.split('/').at(-1),
    access,
    kernelLog: () => undefined,
    program: (name) => (programs.includes(name) ? `/usr/bin/${name}` : undefined),
  };
}
