import { IorrError } from '../traces/errors.ts';

/** One condition under which a command exits with 3. */
export interface Gate {
  /** As the user wrote it. */
  readonly text: string;
  /** Where the number is in the result. */
  readonly path: readonly string[];
  readonly operator: '>' | '>=' | '<' | '<=' | '=' | '!=';
  readonly limit: number;
}

/** Name or dotted path, and optionally an operator and a number: `stale`, `wasted>100`, `exposure.ns.p99 >= 2e6`. */
const GATE = /^\s*([A-Za-z][\w.-]*)\s*(?:(>=|<=|!=|>|<|=)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))?\s*$/;

/**
 * The gates in `stale,wasted>100`: a name alone means more than 0. `short` has the short names. Throws `USAGE` for what can't be
 * read.
 */
export function parseGates(text: string, short: { readonly [name: string]: string }): Gate[] {
  return text.split(',').map((part) => {
    const [, name, operator = '>', limit = '0'] = GATE.exec(part) ?? [];
    if (name === undefined) {
      throw new IorrError(
        'USAGE',
        `--fail-on: a condition such as stale or wasted>100 expected, found '${part.trim()}'`,
        {
          hint: `short names are ${Object.keys(short).join(', ')}; any number of the JSON result can be named by its path`,
        },
      );
    }
    const path = (Object.hasOwn(short, name) ? (short[name] ?? name) : name).split('.');
    return { text: part.trim(), path, operator: operator as Gate['operator'], limit: Number(limit) };
  });
}

function holds(value: number, { operator, limit }: Gate): boolean {
  switch (operator) {
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '=':
      return value === limit;
    case '!=':
      return value !== limit;
  }
}

/** Whether a gate is breached, in words, or undefined. What is unknown can't pass. Throws `USAGE` for a path that is not there. */
export function breach(gate: Gate, result: unknown): string | undefined {
  let at: unknown = result;
  for (const step of gate.path) {
    if (at === null) break;
    if (typeof at !== 'object' || !Object.hasOwn(at, step)) {
      const known = typeof at === 'object' ? Object.keys(at).join(', ') : 'nothing';
      throw new IorrError('USAGE', `--fail-on ${gate.text}: the result has no ${gate.path.join('.')}`, {
        hint: `where '${step}' stands it has ${known}`,
      });
    }
    at = (at as Record<string, unknown>)[step];
  }
  if (at === null) return `${gate.text}: ${gate.path.join('.')} is unknown, and what is unknown does not pass`;
  if (typeof at !== 'number') {
    throw new IorrError('USAGE', `--fail-on ${gate.text}: ${gate.path.join('.')} is no number`, {
      hint: 'name one of its numbers: --json prints the result',
    });
  }
  return holds(at, gate) ? `${gate.text}: ${gate.path.join('.')} is ${at}` : undefined;
}
