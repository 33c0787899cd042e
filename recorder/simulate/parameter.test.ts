import { describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { describeParameters, readSettings } from './parameter.ts';
import type { Parameter } from './parameter.ts';
import { EVENTS } from './workload.ts';
import { WORKLOADS } from './workloads.ts';

const PARAMETERS: readonly Parameter[] = [
  EVENTS,
  { kind: 'number', name: 'alpha', about: 'exponent', default: 1.5, min: 0, max: 4, fraction: true },
  { kind: 'choice', name: 'commands', about: 'which', default: 'strict', choices: ['strict', 'none'] },
];

const read = (...settings: string[]) => readSettings('w', PARAMETERS, settings).toObject();

describe('readSettings', () => {
  test('defaults, multiples, fractions, words; the last of two counts', () => {
    expect(read()).toEqual({ events: 1_000_000, alpha: 1.5, commands: 'strict' });
    expect(read('events=20M', 'alpha=0.25', 'commands=none')).toEqual({ events: 2e7, alpha: 0.25, commands: 'none' });
    expect(read('events=64Ki', 'events=1e8')).toMatchObject({ events: 1e8 });
    expect(read('events=1.5k')).toMatchObject({ events: 1500 });
  });

  test.each([
    ['events', /expects NAME=VALUE/],
    ['=3', /expects NAME=VALUE/],
    ['event=3', /no parameter "event"/],
    ['events=', /integer from 1 to/],
    ['events=0', /integer from 1 to/],
    ['events=1.5', /integer/],
    ['events=-5', /integer/],
    ['events=0x10', /integer/],
    ['events=Infinity', /integer/],
    ['events=1e400', /integer/],
    ['alpha=5', /number from 0 to 4/],
    ['alpha=NaN', /number from 0 to 4/],
    ['commands=lazy', /strict or none, got "lazy"/],
  ])('%s is a usage error', (setting, message) => {
    expect(() => read(setting)).toThrow(message);
    expect(() => read(setting)).toThrowError(expect.objectContaining({ code: 'USAGE' }));
    expect(() => read(setting)).toThrow(IorrError);
  });

  test('describeParameters has a line for each', () => {
    expect(describeParameters(PARAMETERS)).toEqual([
      'events    events to make; the operation in which the number is reached is completed (1 to 100000000000; default 1000000)',
      'alpha     exponent (0 to 4; default 1.5)',
      'commands  which (strict | none; default strict)',
    ]);
  });
});

describe('the registry', () => {
  test('names are unique, events comes first, and defaults are inside their ranges', () => {
    expect(new Set(WORKLOADS.map((w) => w.name)).size).toBe(WORKLOADS.length);
    for (const workload of WORKLOADS) {
      expect(workload.parameters[0]).toBe(EVENTS);
      expect(new Set(workload.parameters.map((p) => p.name)).size).toBe(workload.parameters.length);
      const settings = workload.parameters.map((p) => `${p.name}=${p.default}`);
      expect(readSettings(workload.name, workload.parameters, settings).toObject()).toEqual(
        readSettings(workload.name, workload.parameters, []).toObject(),
      );
    }
  });
});
