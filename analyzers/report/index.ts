export type { CompareReport, ReplayReport, Report, VerifyReport } from './envelope.ts';
export type { RenderOptions, Renderer, ReportCommand } from './renderer.ts';
export { RENDERERS, rendererNamed } from './renderers.ts';
export { terminalRenderer } from './terminal.ts';
export { jsonRenderer } from './json.ts';
export { markdownRenderer } from './markdown.ts';
export { csvRenderer } from './csv.ts';
export { headline } from './headline.ts';
export type { Headline } from './headline.ts';
