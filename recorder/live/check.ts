/** `limited`: it works, but not all of it, or only after the step that `needs` names. */
export type CheckState = 'ok' | 'limited' | 'missing';

/** One thing that recording needs or gains from. */
export interface Check {
  readonly name: string;
  readonly state: CheckState;
  /** What is there. */
  readonly found: string;
  /** What to do to get it or more of it, and the privilege that this takes; empty where all is well. */
  readonly needs: string;
  /** What works without that privilege; empty where all is well. */
  readonly instead: string;
}

export function ok(name: string, found: string): Check {
  return { name, state: 'ok', found, needs: '', instead: '' };
}

export function limited(name: string, found: string, needs: string, instead: string): Check {
  return { name, state: 'limited', found, needs, instead };
}

export function missing(name: string, found: string, needs: string, instead: string): Check {
  return { name, state: 'missing', found, needs, instead };
}

/** True if nothing that is needed is missing. */
export function works(checks: readonly Check[]): boolean {
  return checks.every(({ state }) => state !== 'missing');
}
