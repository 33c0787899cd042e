import { toJson } from '../../traces/plain-json.ts';
import type { Renderer } from './renderer.ts';

/** The document itself. */
export const jsonRenderer: Renderer = {
  name: 'json',
  does: 'one document for programs; unknown figures are null',
  extension: 'json',
  commands: ['compare', 'replay', 'verify'],
  render: (report) => toJson(report),
};
