import { execFile } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { INTERRUPTED } from '../traces/command.ts';
import type { CommandIo, CommandSpec } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { toolVersion } from '../traces/tool.ts';
import { printable } from './report/escape.ts';
import { readResultDocument } from './report/several/result-document.ts';
import { TraceOverview } from './view/trace-window.ts';
import { viewData } from './view/view-data.ts';
import { readyText, viewPage } from './view/view-page.ts';
import { serveView } from './view/view-server.ts';

const MOST_PORT = 65_535;

/** 0: any that is free. */
function portOf(value: unknown): number {
  if (value === undefined) return 0;
  const port = typeof value === 'number' || (typeof value === 'string' && /^\d{1,5}$/.test(value)) ? Number(value) : 0;
  if (Number.isInteger(port) && port >= 1 && port <= MOST_PORT) return port;
  throw new IorrError('USAGE', `--port: a number from 1 to ${MOST_PORT} expected, found ${JSON.stringify(value)}`, {
    hint: 'leave it out: a free one is taken',
  });
}

/** Reads the trace once; false if that was interrupted. */
async function readOverview(overview: TraceOverview, events: number, io: CommandIo): Promise<boolean> {
  const progress = io.progress('reading', events);
  try {
    for (const done of overview.read()) {
      progress.update(done);
      await turn();
      if (io.signal.aborted) return false;
    }
    return true;
  } finally {
    progress.stop();
  }
}

/** Without a shell; that no browser starts is no failure: the address was printed. */
function openBrowser(url: string, io: CommandIo): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  execFile(program, [url], (error) => {
    if (error !== null) io.err(`iorr: no browser could be started with ${program}: open the address by hand\n`);
  });
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export const viewCommand: CommandSpec = {
  name: 'view',
  summary: 'shows a trace and results of it in a browser on this machine, with a zoom down to its events',
  args: ['FILE', '[RESULT...]'],
  options: [
    { flags: '--port <n>', description: 'the port to listen on; default: any that is free' },
    { flags: '--ipv6', description: 'listen on ::1 instead of 127.0.0.1' },
    { flags: '--open', description: 'open the address in the browser' },
  ],
  examples: [
    {
      command: 'iorr view run.iorr --open',
      does: 'events and addresses over time, and the rows of what is zoomed into',
    },
    {
      command: 'iorr view run.iorr replay.json safety.json',
      does: 'the same with results: their charts zoom together, their findings lead to the events',
    },
    {
      command: 'iorr view run.iorr --port 8080',
      does: 'at a port that a tunnel leads to: ssh -L 8080:127.0.0.1:8080 HOST',
    },
  ],
  async run({ args, options, io }) {
    const [file, ...results] = args;
    if (file === undefined)
      throw new IorrError('USAGE', 'a trace expected, found none', { hint: 'iorr view run.iorr' });
    const port = portOf(options['port']);
    const documents = results.map((result) => readResultDocument(result));
    const trace = openTrace(file);
    try {
      const overview = new TraceOverview(trace);
      if (!(await readOverview(overview, trace.eventCount, io))) return INTERRUPTED;
      const page = viewPage(file, trace, overview, documents, toolVersion());
      const host = options['ipv6'] === true ? '::1' : '127.0.0.1';
      const view = await serveView({ ...page, data: viewData(trace, overview) }, { host, port });
      try {
        io.out(`${view.url}\n`);
        io.err(readyText(printable(file), trace.eventCount));
        if (options['open'] === true) openBrowser(view.url, io);
        await interrupted(io.signal);
      } finally {
        await view.close();
      }
      return INTERRUPTED;
    } finally {
      trace.close();
    }
  },
};
