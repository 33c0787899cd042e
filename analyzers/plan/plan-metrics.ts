import type { PlanMetric } from './plan-metric.ts';
import { cpuTime } from './metrics/cpu-time.ts';
import { deviceStall } from './metrics/device-stall.ts';
import { downtime } from './metrics/downtime.ts';
import { exposure } from './metrics/exposure.ts';
import { fairness } from './metrics/fairness.ts';
import { harvest } from './metrics/harvest.ts';
import { hitRate } from './metrics/hit-rate.ts';
import { lockWait } from './metrics/lock-wait.ts';
import { migration } from './metrics/migration.ts';
import { missRate } from './metrics/miss-rate.ts';
import { missedWrites } from './metrics/missed-writes.ts';
import { pageRequest } from './metrics/page-request.ts';
import { pageSeconds } from './metrics/page-seconds.ts';
import { prqOverflow } from './metrics/prq-overflow.ts';
import { queueUse } from './metrics/queue-use.ts';
import { stale } from './metrics/stale.ts';
import { submit } from './metrics/submit.ts';
import { walkReads } from './metrics/walk-reads.ts';

/** Every metric that goals can be about. A new one is its file and a line here. */
export const PLAN_METRICS: readonly PlanMetric[] = [
  hitRate,
  missRate,
  walkReads,
  fairness,
  exposure,
  pageSeconds,
  stale,
  submit,
  lockWait,
  queueUse,
  cpuTime,
  deviceStall,
  prqOverflow,
  pageRequest,
  downtime,
  migration,
  harvest,
  missedWrites,
];
