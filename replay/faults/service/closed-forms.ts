/**
 * What queueing theory says of queues that are simple enough, for comparison with the simulation. `load` is offered traffic in
 * servers: arrivals per second by service time. Sources: Erlang (1917), Pollaczek (1930), Khinchine (1932); Kleinrock, "Queueing
 * Systems" volume 1 (1975), 3.5 to 3.8 and 5.7.
 */

/** Erlang C: probability that an arrival at M/M/c waits. Needs load < servers. */
export function erlangC(servers: number, load: number): number {
  const blocked = erlangB(servers, load);
  return blocked / (1 - (load / servers) * (1 - blocked));
}

/** Erlang B: probability that an arrival at M/M/c/c is lost. */
function erlangB(servers: number, load: number): number {
  let blocked = 1;
  for (let i = 1; i <= servers; i++) blocked = (load * blocked) / (i + load * blocked);
  return blocked;
}

/** M/M/c: mean wait before the service, in service times; with Little's law also the mean number that wait, per `load`. */
export function waitOfMmc(servers: number, load: number): number {
  return erlangC(servers, load) / (servers - load);
}

/** M/M/c: mean number of customers, in service included. */
export function occupancyOfMmc(servers: number, load: number): number {
  return load + load * waitOfMmc(servers, load);
}

/** M/M/c/K: probability that an arrival finds K customers and is lost. K at least c. */
export function lossOfMmck(servers: number, places: number, load: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; n <= places; n++) {
    term *= load / Math.min(n, servers);
    sum += term;
  }
  return term / sum;
}

/** M/G/1: mean wait before the service, in service times, by the squared coefficient of variation (0: M/D/1, 1: M/M/1). */
export function waitOfMg1(load: number, variation: number): number {
  return (load * (1 + variation)) / (2 * (1 - load));
}
