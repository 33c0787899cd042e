import type { DesignParameter } from '../../designs/design.ts';
import type { ProfileParameter, Standing } from '../../results.ts';
import { PRI_PARAMETERS, PUBLISHED_RESPONSE } from '../pri-parameters.ts';
import type { FaultCosts } from './fault-costs.ts';

function of(
  name: string,
  value: number,
  source: string,
  standing: Standing = 'assumed',
  unit = 'ns',
  range: readonly [number, number] = [0, 1e12],
): DesignParameter {
  return { name, value, unit, source, standing, range };
}

const HANDLER = 'record, wake and service are the parts of what compare --dirty calls pri.handler';
const POPULATE = 'cloud-hypervisor issue 8899: populating memory, one thread';

/** What the steps of a page request take that only `compare --pri` tells apart. */
const OWN: readonly DesignParameter[] = [
  of('pri.record', 300, `the driver, for one record: ${HANDLER}`),
  of('pri.wake', 2180, `a worker or a process begins with a group: ${HANDLER}`),
  of('pri.service', 2000, `a server, for a group whose pages are in memory: ${HANDLER}`),
  of(
    'pri.submit',
    200,
    'a failing ioctl on a two-core virtual machine: 145 to 230 ns; here one write of responses',
    'measured',
  ),
  of('pri.answer', 500, 'from the response command to the device: half a PCIe round trip of 500 to 1000 ns'),
  of('pri.populate', 565, `${POPULATE}, 148 ms/GiB without huge pages, for 4 KiB`, 'published'),
  of('pri.populate-huge', 117, `${POPULATE}, 30.6 ms/GiB with huge pages, for 4 KiB`, 'published'),
  of('pri.restart', 10_000, 'the driver stops and starts a log that overflowed, with register polls'),
  of(
    'pri.timeout',
    10_000_000,
    'after which a device asks again that got no answer; PCIe has no such time, devices have their own',
  ),
  of('pri.linger', 0, 'that a response waits for others of its batch at most; 0: while servers have work'),
  of(
    'pri.refault',
    0,
    'share of repaired groups whose pages are gone again before the device has translated',
    'assumed',
    'share',
    [0, 0.99],
  ),
  of('pri.published', PUBLISHED_RESPONSE.ns, PUBLISHED_RESPONSE.source, 'published'),
  of('pri.cpu-fault', 565, `one page fault of a CPU: ${POPULATE}, 148 ms/GiB without huge pages`, 'published'),
];

/** Of `PRI_PARAMETERS`, those that mean the same here. */
const SHARED = ['pri.request', 'pri.interrupt', 'pri.entry', 'pri.response', 'pri.retranslate'];

/** The knobs of `compare --pri`. */
export const SERVICE_PARAMETERS: readonly DesignParameter[] = [
  ...PRI_PARAMETERS.filter(({ name }) => SHARED.includes(name)),
  ...OWN,
];

/** Value of a parameter: the one that was set, else the profile's, else the default. */
type ServiceParameter = (name: string) => number;

/** Values, and the same as a result lists them. */
export function serviceParameters(
  given: ReadonlyMap<string, number>,
  profile: readonly ProfileParameter[] = [],
): { readonly parameter: ServiceParameter; readonly table: readonly ProfileParameter[] } {
  const table = SERVICE_PARAMETERS.map((own): ProfileParameter => {
    const { value, source, standing } = profile.find((measured) => measured.name === own.name) ?? own;
    const set = given.get(own.name);
    return set === undefined
      ? { name: own.name, value, unit: own.unit, source, standing }
      : { name: own.name, value: set, unit: own.unit, source: 'set by the user', standing: 'assumed' };
  });
  return {
    table,
    parameter: (name) => {
      const found = table.find((one) => one.name === name);
      if (found === undefined) throw new RangeError(`there is no parameter ${name}`);
      return found.value;
    },
  };
}

export function faultCosts(parameter: ServiceParameter): FaultCosts {
  return {
    requestNs: parameter('pri.request'),
    interruptNs: parameter('pri.interrupt'),
    handlerNs: parameter('pri.record'),
    wakeNs: parameter('pri.wake'),
    entryNs: parameter('pri.entry'),
    populateNs: parameter('pri.populate'),
    populateHugeNs: parameter('pri.populate-huge'),
    submitNs: parameter('pri.submit'),
    respondNs: parameter('pri.response'),
    answerNs: parameter('pri.answer'),
    retranslateNs: parameter('pri.retranslate'),
    restartNs: parameter('pri.restart'),
    timeoutNs: parameter('pri.timeout'),
  };
}
