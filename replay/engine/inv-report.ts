import type { Divergence, VerifyCounts } from '../results.ts';
import type { CommandWords } from './command-matcher.ts';

/** What the check of the commands found, before it becomes a part of a `VerifyResult`. */
export interface InvOutcome {
  /** By part: `inv.flush`, `inv.wait`. */
  readonly parts: { readonly [part: string]: VerifyCounts };
  readonly skipped: { readonly [reason: string]: number };
  /** The first 100. */
  readonly divergences: readonly Divergence[];
  readonly notes: readonly string[];
}

const MAX_DIVERGENCES = 100;
const WORD_NAMES = ['w0', 'w1', 'w2', 'w3'] as const;

/** Counts agreements, divergences and skips of one verification. */
export class InvReport {
  readonly #parts = new Map<string, { agreed: number; diverged: number }>();
  readonly #skipped = new Map<string, number>();
  readonly #divergences: Divergence[] = [];
  readonly #notes: string[] = [];

  agreed(part: string): void {
    this.#part(part).agreed++;
  }

  altered(part: string, event: number, recorded: CommandWords, model: CommandWords): void {
    const word = WORD_NAMES.findIndex(
      (_, i) => recorded[2 * i] !== model[2 * i] || recorded[2 * i + 1] !== model[2 * i + 1],
    );
    this.diverged(part, event, WORD_NAMES[word] ?? 'w0', formatCommand(recorded), formatCommand(model));
  }

  diverged(part: string, event: number, what: string, recorded: string, model: string): void {
    this.#part(part).diverged++;
    if (this.#divergences.length < MAX_DIVERGENCES) {
      this.#divergences.push({ event, kind: 'inv', what, recorded, model });
    }
  }

  skip(reason: string, count = 1): void {
    if (count > 0) this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + count);
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  outcome(): InvOutcome | undefined {
    if (this.#parts.size === 0) return undefined;
    const parts: { [part: string]: VerifyCounts } = {};
    for (const [name, { agreed, diverged }] of this.#parts)
      parts[name] = { checked: agreed + diverged, agreed, diverged };
    return {
      parts,
      skipped: Object.fromEntries(this.#skipped),
      divergences: this.#divergences,
      notes: this.#notes,
    };
  }

  #part(name: string): { agreed: number; diverged: number } {
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = { agreed: 0, diverged: 0 };
      this.#parts.set(name, part);
    }
    return part;
  }
}

/** `0x400f2 0xffff1040`: the words of a command as the kernel's tracepoint prints them, without trailing zero words. */
export function formatCommand(words: CommandWords): string {
  const texts: string[] = [];
  for (let i = 0; i < 8; i += 2) {
    const value = (BigInt((words[i + 1] ?? 0) >>> 0) << 32n) | BigInt((words[i] ?? 0) >>> 0);
    texts.push(`0x${value.toString(16)}`);
  }
  while (texts.length > 2 && texts.at(-1) === '0x0') texts.pop();
  return texts.join(' ');
}
