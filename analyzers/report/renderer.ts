import { IorrError } from '../../traces/errors.ts';
import type { Report } from './envelope.ts';

/** Where the output goes. */
export interface RenderOptions {
  /** Width of the output in characters; for terminals. */
  readonly columns: number;
  /** Colour wanted: the caller knows the terminal, NO_COLOR and TERM. Off: the output has no escape sequence at all. */
  readonly colour: boolean;
}

/** Whose documents renderers show. */
export type ReportCommand = Report['command'];

/** One way to show results. Renderers are pure: the same document and options give the same text. */
export interface Renderer {
  /** `--format` word: `terminal`, `json`, `markdown`, `csv`, `html`. */
  readonly name: string;
  readonly does: string;
  /** Usual ending of a file that holds this output, without dot. */
  readonly extension: string;
  /** The commands whose results it can show. */
  readonly commands: readonly ReportCommand[];
  /** The whole output, ending in a line feed. Throws `IorrError` USAGE for a command that is not in `commands`. */
  render(report: Report, options: RenderOptions): string;
}

/** The error of a renderer that is asked for a result which it has no form for. */
export function notRenderable(name: string, command: string, commands: readonly string[]): IorrError {
  return new IorrError('USAGE', `there is no ${name} output of ${command}, only of ${commands.join(', ')}`, {
    hint: 'use --json, which every command has',
  });
}
