import type { Renderer } from './renderer.ts';
import { renderCompare } from './terminal-compare.ts';
import { renderReplay } from './terminal-replay.ts';
import { renderVerify } from './terminal-verify.ts';

/** Tables for people. */
export const terminalRenderer: Renderer = {
  name: 'terminal',
  does: 'tables for people, as wide as the terminal',
  extension: 'txt',
  commands: ['compare', 'replay', 'verify'],
  render(report, options) {
    switch (report.command) {
      case 'compare':
        return renderCompare(report, options);
      case 'replay':
        return renderReplay(report, options);
      case 'verify':
        return renderVerify(report, options);
    }
  },
};
