/** Headings of the help in their order, with the options under each. `cat --format` is that of one command. */
const GROUPS: readonly { readonly heading: string; readonly options: readonly string[] }[] = [
  {
    heading: 'What is recorded:',
    options: ['source', 'event', 'ioctl-type', 'pid', 'processes-only', 'keep-last', 'buffer-size', 'sub-buffer-size'],
  },
  {
    heading: 'What is read:',
    options: [
      'format',
      'all-events',
      'kernel',
      'stream',
      'from',
      'to',
      'from-event',
      'until',
      'device',
      'domain',
      'iova',
      'derived',
      'filter --pid',
    ],
  },
  { heading: 'How traces are put together:', options: ['by', 'offset'] },
  { heading: 'Where it is cut:', options: ['every', 'size', 'marks', 'devices'] },
  { heading: 'What is changed:', options: ['key', 'drop-unknown'] },
  {
    heading: 'The question:',
    options: ['only', 'goal', 'vary', 'tenants', 'spread', 'addresses', 'at', 'sample', 'counts', 'splits', 'windows'],
  },
  {
    heading: 'What is compared:',
    options: ['designs', 'design', 'paths', 'path', 'batch', 'cores', 'sensitivity', 'suite', 'baseline', 'against'],
  },
  { heading: 'Dirty tracking:', options: ['dirty', 'threads', 'tables', 'link', 'downtime', 'plan'] },
  { heading: 'Page requests:', options: ['pri'] },
  {
    heading: 'The model:',
    options: ['hardware', 'profile', 'set', 'access', 'atc-policy', 'driver', 'seed', 'repeat', 'no-replay'],
  },
  { heading: 'What is fitted:', options: ['reach', 'harvest', 'memory', 'machine', 'state', 'calibrate --windows'] },
  { heading: 'The gate:', options: ['fail-on', 'threshold', 'resamples', 'strict'] },
  {
    heading: 'How it runs:',
    options: [
      'jobs',
      'sql --memory',
      'redis',
      'redis-wait',
      'cache',
      'cache-size',
      'once',
      'time',
      'duration',
      'max-size',
      'port',
      'ipv6',
      'open',
    ],
  },
  {
    heading: 'The answer:',
    options: [
      'output',
      'json',
      'markdown',
      'markdown-to',
      'html',
      'github',
      'csv',
      'limit',
      'live',
      'list',
      'check',
      'print',
      'print-program',
      'cat --format',
      'export --to',
    ],
  },
  { heading: 'General:', options: ['quiet', 'verbose', 'config', 'help'] },
];

/** The heading that an option of a command stands under; undefined for one that nobody has put anywhere. */
export function optionGroup(command: string, long: string): string | undefined {
  const name = long.slice(2);
  const own = GROUPS.find(({ options }) => options.includes(`${command} --${name}`));
  return (own ?? GROUPS.find(({ options }) => options.includes(name)))?.heading;
}
