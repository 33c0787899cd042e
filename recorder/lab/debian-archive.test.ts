import { describe, expect, test } from 'vitest';
import { aptOptions, findDebianArchive, packageBehind, sourceText } from './debian-archive.ts';

const DEB822 = `# made by the installer
Types: deb
URIs: http://vendor.example/apt
Suites: stable
Components: main

Types: deb
# a comment between
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;

describe("the machine's Debian archive", () => {
  test('is found in deb822 sources, past other vendors', () => {
    expect(findDebianArchive(['', DEB822])).toEqual({
      uri: 'http://mirror.example/debian',
      signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
    });
  });

  test('is found in one-line sources; security updates are another archive', () => {
    const list = `deb http://mirror.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/etc/keys/debian.gpg] http://mirror.example/debian/ bookworm main contrib
`;
    expect(findDebianArchive([list])).toEqual({
      uri: 'http://mirror.example/debian/',
      signedBy: '/etc/keys/debian.gpg',
    });
    expect(findDebianArchive(['deb http://mirror.example/debian bookworm main\n'])?.signedBy).toBeUndefined();
  });

  test('is not made up', () => {
    expect(
      findDebianArchive(['# deb http://mirror.example/debian bookworm main\n', '', 'Types: deb\n']),
    ).toBeUndefined();
  });

  test('gives a source of another suite', () => {
    expect(sourceText({ uri: 'http://mirror.example/debian', signedBy: '/k.gpg' }, 'trixie')).toBe(
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\nSigned-By: /k.gpg\n',
    );
  });
});

test('apt works in its folder and for its architecture alone', () => {
  const options = aptOptions('/cache/lab', 'arm64');
  expect(options).toContain('Dir::State=/cache/lab/state');
  expect(options).toContain('Dir::State::status=/dev/null');
  expect(options).toContain('APT::Architectures=arm64');
  expect(options.filter((option) => option === '-o')).toHaveLength(options.length / 2);
});

test('a meta package names the package that it stands for', () => {
  const shown =
    'Package: linux-image-amd64\nVersion: 6.12.107-1\nDepends: linux-image-6.12.107+deb13-amd64 (= 6.12.107-1)\n';
  expect(packageBehind(shown, 'linux-image-')).toBe('linux-image-6.12.107+deb13-amd64');
  expect(packageBehind('Package: linux-source\nDepends: xz-utils, linux-source-7.3\n', 'linux-source-')).toBe(
    'linux-source-7.3',
  );
  expect(packageBehind('Package: linux-image-amd64\n', 'linux-image-')).toBeUndefined();
});
