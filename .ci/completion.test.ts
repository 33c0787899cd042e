import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from './files.ts';

let folder = '';

/** A line up to the cursor, and the only thing that its last word can become. */
const CASES = [
  ['iorr comple', 'completion'],
  ['iorr compare --desig', '--designs'],
  ['iorr compare --designs linux-lazy,persi', 'linux-lazy,persistent'],
  ['iorr compare --hardware=vtd', '--hardware=vtd-64x4'],
  ['iorr compare --atc-policy retr', 'retry'],
  ['iorr replay --set iotlb.ways=4,iotlb.huge-w', 'iotlb.ways=4,iotlb.huge-ways='],
  ['iorr cat --stream map,unm', 'map,unmap'],
  ['iorr import --format qmp', 'qmp-log'],
  ['iorr analyze bat', 'batching'],
  ['iorr analyze iotlb on', 'one.iorr'],
  ['iorr replay wi', 'with space.iorr'],
  ['iorr compare --profile ./prof', './profile.json'],
  ['iorr completion z', 'zsh'],
] as const;

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
const missing = (shell: string): boolean => {
  if (has(shell)) return false;
  console.log(`${shell} is not installed (npm run setup): its completion is not tested here`);
  return true;
};

/** Runs a program of a shell's, `iorr` in its path, among the files; what it printed. */
function run(shell: string, args: readonly string[]): string {
  const { stdout, stderr, error } = spawnSync(shell, args, {
    cwd: join(folder, 'files'),
    env: {
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      TERM: 'xterm',
      LC_ALL: 'C.UTF-8',
    },
    encoding: 'utf8',
    timeout: 100_000,
  });
  if (error !== undefined) throw error;
  return `${stdout}${stderr}`;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-completion-'));
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'files'));
  for (const name of ['one.iorr', 'with space.iorr', 'profile.json']) writeFileSync(join(folder, 'files', name), '');
  writeFileSync(
    join(folder, 'bin/iorr'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist/cli.js')}' "$@"\n`,
  );
  chmodSync(join(folder, 'bin/iorr'), 0o755);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Asks bash's function as bash does: words cut at = as well. Answers with what the last word becomes. */
const BASH = `
source <(iorr completion bash)
ask() {
  local line=$1 rest; COMP_LINE=$1; COMP_POINT=\${#1}; COMP_WORDS=(); rest=\${line//=/ = }
  read -ra COMP_WORDS <<< "$rest"; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _iorr
  local word=\${line##* }
  printf '%s\\n' "\${word%"\${COMP_WORDS[COMP_CWORD]#=}"}\${COMPREPLY[*]}"
}
complete -p iorr
`;

/** Types the line and a tab into an interactive zsh, and waits for what should stand there. */
const ZSH = `
zmodload zsh/zpty
zpty -b shell 'PS1= zsh -f -i'
wait_for() {
  local i part; seen=''
  for ((i = 0; i < 400; i++)); do
    while zpty -rt shell part; do seen+=$part; done
    [[ $seen == *$1* ]] && return 0
    sleep 0.05
  done
  return 1
}
zpty -w shell 'stty cols 200; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source <(iorr completion zsh); print RE''ADY'
wait_for READY || print "no zsh: $seen"
ask() {
  zpty -w -n shell "$1"$'\\t'
  if wait_for "$2"; then print -r -- "$3"; else print -r -- "got \${(V)seen}"; fi
  zpty -w -n shell $'\\C-u'
}
`;

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

describe('completion', () => {
  test.skipIf(missing('bash'))('bash', () => {
    const script = `${BASH}${CASES.map(([line]) => `ask ${quoted(line)}`).join('\n')}`;
    const [registered, ...answers] = run('bash', ['--norc', '-c', script]).trim().split('\n');
    expect(registered).toBe('complete -F _iorr iorr');
    expect(answers).toEqual(CASES.map(([, word]) => word));
  });

  test.skipIf(missing('fish'))('fish', () => {
    const script = CASES.map(([line]) => `complete -C ${quoted(line)} | string split -f 1 \\t`);
    const answers = run('fish', ['-N', '-c', `iorr completion fish | source\n${script.join('\n')}`]);
    expect(answers.trim().split('\n')).toEqual(CASES.map(([, word]) => word));
  });

  test.skipIf(missing('zsh'))('zsh', () => {
    const asks = CASES.map(([line, word]) => {
      const typed = `${line.slice(0, line.lastIndexOf(' '))} ${word.replaceAll(' ', '\\ ')}`;
      return `ask ${quoted(line)} ${quoted(typed)} ${quoted(word)}`;
    });
    const answers = run('zsh', ['-f', '-c', `${ZSH}${asks.join('\n')}\nzpty -d shell`]);
    expect(answers.trim().split('\n')).toEqual(CASES.map(([, word]) => word));
  });
});
