/** What is used of the client of Redis, which is optional: only ever imported when it is needed. */
export { Queue, UnrecoverableError, Worker } from 'bullmq';
export { Redis } from 'ioredis';
