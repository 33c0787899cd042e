import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { ownProgram, parseEntry, parseWorker, refusalOf } from './sweep-entry.ts';
import { failureText, taskFailure } from './task-failure.ts';

const program = { version: '1.2.3', format: 4, protocol: 1, build: 'abcdef012345' };
const entry = { program, trace: 'a'.repeat(64), bytes: 100, tasks: 3, host: 'there' };
const worker = { host: 'here', pid: 7, slots: 2, done: 1, running: 0.5, trouble: '' };

describe('what a sweep says of itself', () => {
  test('reads as it was written', () => {
    expect(parseEntry(JSON.stringify(entry))).toEqual(entry);
    expect(parseEntry(JSON.stringify({ ...entry, program: ownProgram() }))?.program).toEqual(ownProgram());
  });

  test.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['no program', JSON.stringify({ ...entry, program: null })],
    ['a trace that could lead elsewhere', JSON.stringify({ ...entry, trace: '../../etc/passwd'.padEnd(64, 'a') })],
    ['a size that is no number', JSON.stringify({ ...entry, bytes: '100' })],
    ['a size beyond all', JSON.stringify({ ...entry, bytes: 2 ** 52 })],
    ['a name without end', JSON.stringify({ ...entry, host: 'x'.repeat(300) })],
  ])('%s is no entry', (_what, text) => {
    expect(parseEntry(text)).toBeUndefined();
  });

  test('anything reads or is none', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseEntry(text)).toBeUndefined();
        expect(parseWorker(text)).toBeUndefined();
      }),
    );
  });

  test('a worker of another program is refused by name of both', () => {
    expect(refusalOf(program, { ...program })).toBeUndefined();
    expect(refusalOf({ ...program, version: '1.3.0' }, program)).toBe(
      'the sweep is of iorr 1.2.3 (trace format 4, build abcdef012345), the worker is iorr 1.3.0 (trace format 4, build abcdef012345)',
    );
    expect(refusalOf({ ...program, format: 5 }, program)).toMatch(/trace format 4.*trace format 5/);
    expect(refusalOf({ ...program, build: '000000000000' }, program)).toMatch(/build abcdef012345.*build 000000000000/);
    expect(refusalOf({ ...program, protocol: 2 }, program)).toBeDefined();
  });
});

describe('what a worker says of itself', () => {
  test('reads as it was written, if it can be', () => {
    expect(parseWorker(JSON.stringify(worker))).toEqual(worker);
    expect(parseWorker(JSON.stringify({ ...worker, running: 3 }))).toBeUndefined();
    expect(parseWorker(JSON.stringify({ ...worker, trouble: 'x'.repeat(1001) }))).toBeUndefined();
  });

  test('why a task failed comes back as the error that it was', () => {
    const error = taskFailure(failureText(new IorrError('USAGE', 'no such thing', { hint: 'another' }), 'here:7'));
    expect(error).toMatchObject({ code: 'USAGE', hint: 'another' });
    expect(error.message).toBe('a point failed (at the worker here:7): no such thing');
    expect(taskFailure(failureText(new Error('x'.repeat(10_000)), 'w')).message.length).toBeLessThan(4100);
    expect(taskFailure('{"iorr":1,"message":"m","code":"toString"}').code).toBe('REDIS_FAILED');
    expect(taskFailure('job stalled more than allowable limit').message).toMatch(/given up/);
  });
});
