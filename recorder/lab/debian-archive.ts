/** Where the machine's own apt gets Debian from. */
export interface DebianArchive {
  readonly uri: string;
  /** Key ring file, where its source names one. */
  readonly signedBy: string | undefined;
}

/** The first stanza value of a deb822 field, or the fields of a one-line source. */
function fromStanza(stanza: string): DebianArchive | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:[ \\t]*(\\S.*)$`, 'im').exec(stanza)?.[1]?.trim().split(/\s+/)[0];
  const uri = field('URIs');
  return uri === undefined ? undefined : { uri, signedBy: field('Signed-By') };
}

// deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror/debian bookworm main
const ONE_LINE = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+\S+\s+.*$/;

function fromLine(line: string): DebianArchive | undefined {
  const match = ONE_LINE.exec(line.trim());
  if (match === null) return undefined;
  return { uri: match[2] ?? '', signedBy: /signed-by=(\S+)/.exec(match[1] ?? '')?.[1] };
}

/** The main archive among the texts of a machine's apt sources (`.sources` and `.list`); undefined if there is none. */
export function findDebianArchive(sources: readonly string[]): DebianArchive | undefined {
  const found = sources.flatMap((text) => {
    const plain = text.replaceAll(/^#.*\n?/gm, '');
    if (/^Types:/im.test(plain)) return plain.split(/\n\s*\n/).map(fromStanza);
    return plain.split('\n').map(fromLine);
  });
  // Security updates and other vendors have archives of their own; every mirror of the main one ends so.
  return found.find((archive) => archive !== undefined && /\/debian\/?$/.test(archive.uri));
}

/** A deb822 source of one suite of an archive. */
export function sourceText(archive: DebianArchive, suite: string): string {
  const signed = archive.signedBy === undefined ? '' : `Signed-By: ${archive.signedBy}\n`;
  return `Types: deb\nURIs: ${archive.uri}\nSuites: ${suite}\nComponents: main\n${signed}`;
}

/** Options that make apt work in a folder of its own: it neither reads nor changes what the machine has installed. */
export function aptOptions(folder: string, architecture: string): readonly string[] {
  const settings = {
    'Dir::State': `${folder}/state`,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': `${folder}/cache`,
    'Dir::Etc::sourcelist': `${folder}/lab.sources`,
    'Dir::Etc::sourceparts': '/dev/null',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
    'APT::Install-Recommends': 'false',
    'Acquire::Retries': '3',
    'Acquire::Languages': 'none',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** The versioned package that a meta package stands for, from `apt-cache show`: the one whose name begins so. */
export function packageBehind(shown: string, prefix: string): string | undefined {
  const names = /^Depends:(.*)$/m.exec(shown)?.[1]?.split(/[,|]/) ?? [];
  return names.map((name) => name.trim().split(/\s/)[0]).find((name) => name?.startsWith(prefix));
}
