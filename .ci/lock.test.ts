import { expect, test } from 'vitest';
import { readText } from './files.ts';

interface Lock {
  readonly packages: {
    readonly [path: string]: {
      readonly version?: string;
      readonly resolved?: string;
      readonly optionalDependencies?: { readonly [name: string]: string };
    };
  };
}

const { packages } = JSON.parse(readText('package-lock.json')) as Lock;

test('the lock file names the builds for other platforms too, or `npm ci` refuses it', () => {
  const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter((name) => packages[`node_modules/${name}`]?.version === undefined),
  );
  expect(missing).toEqual([]);
});

test('the lock file names no registry', () => {
  expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
});
