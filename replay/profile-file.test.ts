import { describe, expect, test } from 'vitest';
import { IorrError } from '../traces/errors.ts';
import { genericServer } from './costs/generic-server.ts';
import { vtdServer } from './hardware/vtd-server.ts';
import { MOST_PROFILE_BYTES, parseProfile, profileText } from './profile-file.ts';
import type { FileParameter } from './profile-file.ts';

const wait: FileParameter = {
  name: 'queue.wait',
  value: 321,
  unit: 'ns',
  source: 'run.iorr: from the last command to its wait',
  standing: 'measured',
  interval: [300, 340],
  n: 1200,
};
const sets: FileParameter = { name: 'iotlb.sets', value: 32, unit: 'sets', source: 'a curve', standing: 'fitted' };
const draft = {
  name: 'mine',
  summary: 'a profile of mine',
  hardware: { base: 'vtd-64x4', parameters: [sets] },
  costs: { base: 'generic-server', parameters: [wait] },
  measurements: [{ ...wait, name: 'ioctl.IOMMU_IOAS_MAP' }],
};

describe('profile files', () => {
  test('what is written is read: changes to a built-in profile', () => {
    const { name, hardware, costs } = parseProfile(profileText(draft), 'p.json');
    expect(name).toBe('mine');
    expect(hardware).toMatchObject({ name: 'mine', summary: 'a profile of mine', architecture: 'vtd' });
    expect(hardware?.parameters.map((parameter) => parameter.name)).toEqual(
      vtdServer.parameters.map((parameter) => parameter.name),
    );
    expect(hardware?.parameters.find((parameter) => parameter.name === 'iotlb.sets')).toEqual(sets);
    expect(costs?.parameters.find((parameter) => parameter.name === 'queue.wait')).toEqual(wait);
    expect(costs?.parameters.filter((parameter) => parameter.name !== 'queue.wait')).toEqual(
      genericServer.parameters.filter((parameter) => parameter.name !== 'queue.wait'),
    );
    const clear: FileParameter = { ...wait, name: 'dirty.clear', value: 30 };
    expect(parseProfile(profileText({ ...draft, dirty: [clear] }), 'p.json').costs?.dirty).toEqual([clear]);
    const wake: FileParameter = { ...wait, name: 'pri.wake', value: 30 };
    expect(parseProfile(profileText({ ...draft, faults: [wake] }), 'p.json').costs?.faults).toEqual([wake]);
    const half = parseProfile(profileText({ name: 'x', summary: 'y' }), 'p.json');
    expect(half).toMatchObject({ hardware: undefined, costs: undefined });
  });

  const costs = (change: object): string =>
    JSON.stringify({
      format: 'iorr-profile',
      version: 1,
      ...draft,
      costs: { base: 'generic-server', parameters: [{ ...wait, ...change }] },
    });
  const hardware = (change: object): string =>
    JSON.stringify({
      format: 'iorr-profile',
      version: 1,
      ...draft,
      hardware: { base: 'vtd-64x4', parameters: [{ ...sets, ...change }] },
    });
  const dirty = (change: object): string =>
    profileText({ ...draft, dirty: [{ ...wait, name: 'dirty.clear', ...change }] });
  test.each([
    ['an unknown figure of harvests', dirty({ name: 'dirty.cleer' }), /did you mean 'dirty.clear'|no parameter/],
    ['another unit of harvests', dirty({ unit: 'us' }), /'ns'/],
    ['a negative time of harvests', dirty({ value: -1 }), /0 to/],
    [
      'an unknown figure of page requests',
      profileText({ ...draft, faults: [{ ...wait, name: 'dirty.clear' }] }),
      /no parameter|did you mean/,
    ],
    ['harvests without costs', profileText({ name: 'x', summary: 'y', dirty: [] }), /costs expected/],
    ['no JSON', '{', /no JSON/],
    ['another format', '{"format":"x"}', /iorr-profile/],
    ['another version', '{"format":"iorr-profile","version":2}', /version 2/],
    ['a list', '[]', /object/],
    ['an unknown cost', costs({ name: 'queue.wiat' }), /no parameter 'queue.wiat'/],
    ['an unknown parameter', hardware({ name: 'iotlb.set' }), /no parameter 'iotlb.set'/],
    ['another unit', costs({ unit: 'us' }), /'ns'/],
    ['another unit of hardware', hardware({ unit: 'ways' }), /'sets'/],
    ['a negative time', costs({ value: -1 }), /0 to/],
    ['a text as value', costs({ value: '1' }), /number/],
    ['no sets', hardware({ value: 0 }), /1 to/],
    ['half a set', hardware({ value: 1.5 }), /whole number/],
    ['an unknown standing', costs({ standing: 'guessed' }), /standing/],
    ['no source', costs({ source: '' }), /source/],
    ['an endless source', costs({ source: 'x'.repeat(501) }), /source/],
    ['an interval the wrong way round', costs({ interval: [2, 1] }), /interval/],
    ['half an interval', costs({ interval: [2] }), /interval/],
    [
      'an unknown base',
      JSON.stringify({ format: 'iorr-profile', version: 1, ...draft, costs: { base: 'x', parameters: [] } }),
      /known:/,
    ],
    [
      'a name twice',
      JSON.stringify({
        format: 'iorr-profile',
        version: 1,
        ...draft,
        costs: { base: 'generic-server', parameters: [wait, wait] },
      }),
      /twice/,
    ],
    ['too much', ' '.repeat(MOST_PROFILE_BYTES + 1), /bytes/],
  ])('%s is refused', (_, text, message) => {
    expect(() => parseProfile(text, 'p.json')).toThrow(message);
    expect(() => parseProfile(text, 'p.json')).toThrow(IorrError);
  });
});
