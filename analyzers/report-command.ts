import type { CommandSpec } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';
import { toolVersion } from '../traces/tool.ts';
import { OutputFile } from './output-file.ts';
import { readResultDocument } from './report/several/result-document.ts';
import { severalPage } from './report/several/several-page.ts';

export const reportCommand: CommandSpec = {
  name: 'report',
  summary: 'puts results that --json printed on one page that opens anywhere',
  args: ['RESULT...'],
  options: [{ flags: '-o, --output <file>', description: 'the page; - is stdout', default: 'report.html' }],
  examples: [
    { command: 'iorr report compare.json -o compare.html', does: 'one result as a page' },
    {
      command: 'iorr report compare.json iotlb.json safety.json verify.json',
      does: 'several results with one overview and their parameters, as report.html',
    },
    { command: 'iorr replay run.iorr --json | iorr report - -o - > run.html', does: 'in a pipe' },
  ],
  async run({ args, options, io }) {
    if (args.length === 0) {
      throw new IorrError('USAGE', 'a result expected, found none', {
        hint: 'iorr replay run.iorr --json > result.json',
      });
    }
    const target = String(options['output']);
    const output = target === '-' ? undefined : new OutputFile(target);
    const documents = args.map((file) => readResultDocument(file));
    const page = severalPage(documents, toolVersion());
    if (output === undefined) io.out(page);
    else {
      output.writeWhole(page);
      io.err(`wrote ${output.path}\n`);
    }
    return 0;
  },
};
