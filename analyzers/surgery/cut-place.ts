import { IorrError } from '../../traces/errors.ts';
import { STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { parseDuration } from '../duration.ts';

/** A place in a trace: a time, an event, or the first mark that has a text. */
export type CutPlace =
  | { readonly kind: 'time'; readonly time: Nanoseconds }
  | { readonly kind: 'event'; readonly event: number }
  | { readonly kind: 'mark'; readonly text: string };

/** `1.5s`, `event:1200`, `mark:fio randrw`. Throws USAGE. */
export function parsePlace(text: string, option: string): CutPlace {
  const [, kind, rest = ''] = /^(event|mark):(.*)$/s.exec(text) ?? [];
  if (kind === 'mark' && rest !== '') return { kind, text: rest };
  if (kind === 'event' && /^\d{1,15}$/.test(rest)) return { kind, event: Number(rest) };
  if (kind !== undefined) {
    throw new IorrError('USAGE', `${option}: ${kind}: what? found ${JSON.stringify(text)}`, {
      hint: `for example ${option} ${kind === 'event' ? 'event:1200' : 'mark:fio'}`,
    });
  }
  try {
    return { kind: 'time', time: parseDuration(text, option) };
  } catch {
    throw new IorrError('USAGE', `${option}: a place expected, found ${JSON.stringify(text)}`, {
      hint: `a time (${option} 1.5s), an event (${option} event:1200) or a mark (${option} mark:fio)`,
    });
  }
}

/**
 * The index of the first event at each place: the first at or after a time; the first mark whose text is, or else holds, what is
 * asked for. The number of events where a place lies behind the last one. Throws USAGE for a mark that is not there.
 */
export function findPlaces(trace: Trace, places: readonly CutPlace[]): number[] {
  const found = places.map((place) => (place.kind === 'event' ? Math.min(place.event, trace.eventCount) : -1));
  const partly = places.map(() => -1);
  if (places.some(({ kind }) => kind !== 'event')) scan();
  return places.map((place, i) => {
    if (found[i]! >= 0) return found[i]!;
    if (partly[i]! >= 0) return partly[i]!;
    if (place.kind !== 'mark') return trace.eventCount;
    throw new IorrError('USAGE', `no mark ${JSON.stringify(place.text)}`, {
      hint: 'iorr cat FILE --stream mark lists them',
    });
  });

  function scan(): void {
    for (const { firstEvent, count, time, stream, rows } of trace.segments({
      columns: { mark: ['text'] },
      reuse: true,
    })) {
      for (const [k, place] of places.entries()) {
        if (found[k]! >= 0 || place.kind !== 'time') continue;
        for (let i = 0; i < count; i++) {
          if (time[i]! < place.time) continue;
          found[k] = firstEvent + i;
          break;
        }
      }
      if (rows.mark.count === 0) continue;
      let row = 0;
      for (let i = 0; i < count; i++) {
        if (stream[i] !== STREAM_ID.mark) continue;
        const text = trace.strings[rows.mark.columns.text[row++]!] ?? '';
        for (const [k, place] of places.entries()) {
          if (place.kind !== 'mark' || found[k]! >= 0) continue;
          if (text === place.text) found[k] = firstEvent + i;
          else if (partly[k]! < 0 && text.includes(place.text)) partly[k] = firstEvent + i;
        }
      }
    }
  }
}
