import {
  FunctionCode,
  block,
  get,
  i32,
  i64,
  jump,
  jumpIf,
  loop,
  set,
  tee,
  v128,
  when,
} from '../../traces/wasm/wasm-code.ts';
import type { Code } from '../../traces/wasm/wasm-code.ts';
import { PAGE_BITS, REQUESTERS_AT, STATE } from './kernel-layout.ts';

/** Numbers of the trace's schema that `gather` looks for. */
export interface GatherCodes {
  readonly dma: number;
  readonly untranslated: number;
}

const COLUMNS = ['stream', 'rid', 'pasid', 'domain', 'iovaLo', 'iovaHi', 'outcome'] as const;
/** Bits of a key's high word that are the address space's. */
const SPACE_BITS = -1 << (PAGE_BITS - 32);
/** Accesses that are taken at once. */
const TOGETHER = 4;

/** Bytes of two vectors that lay their words side by side. */
const FIRST_PAIRS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const LAST_PAIRS = FIRST_PAIRS.map((byte) => byte + 8);

const plus = (local: number, value: number): Code => set(local, i32.add(get(local), i32.of(value)));

/**
 * Turns accesses into words: from event `at` up to `end` or to where `limit` is reached, an event of another stream than `dma`
 * comes, or an access whose address space is not known by its requester. Returns the event that it stopped at. Accesses whose
 * outcome has a bit of `untranslated` are passed over. Most are alike, and taken four at a time; the others one by one.
 */
export function gather({ dma, untranslated }: GatherCodes): FunctionCode {
  const [at, end, limit] = [0, 1, 2];
  const code = new FunctionCode(['i32', 'i32', 'i32'], 'i32');
  const word = (): number => code.local('i32');
  const [row, to, seen, space, requester, domain, high] = [word(), word(), word(), word(), word(), word(), word()];
  const base = Object.fromEntries(COLUMNS.map((name) => [name, word()]));
  const addressOf = (name: (typeof COLUMNS)[number]): Code => i32.add(get(base[name]!), i32.shl(get(row), i32.of(2)));
  const column = (name: (typeof COLUMNS)[number]): Code => i32.load(0, addressOf(name));
  const state = (name: keyof typeof STATE): Code => i32.load(STATE[name], i32.of(0));
  const streamAt = (event: number): Code => i32.add(get(base['stream']!), get(event));

  const [stop, unlike] = [word(), word()];
  const ofRow = { rid: word(), domain: word(), iovaLo: word(), iovaHi: word() };
  const known = code.local('i64');
  /** One of the accesses that are taken at once: its word, and whether it is to be looked at by itself. */
  const together = (place: number): readonly Code[] => [
    set(requester, i32.load(place * 4, get(ofRow.rid))),
    set(domain, i32.load(place * 4, get(ofRow.domain))),
    set(known, i64.load(REQUESTERS_AT, i32.shl(i32.and(get(requester), i32.of(0xffff)), i32.of(3)))),
    set(space, i32.wrap(get(known))),
    set(
      unlike,
      i32.or(
        get(unlike),
        i32.or(
          i32.or(i32.shrU(get(requester), i32.of(16)), i32.eqz(get(space))),
          i32.and(
            i32.eqz(i32.and(get(space), i32.of(1))),
            i32.and(i32.ne(get(domain), i32.of(-1)), i32.ne(get(domain), i32.wrap(i64.shrU(get(known), i64.of(32n))))),
          ),
        ),
      ),
    ),
    i64.store(
      place * 8,
      get(to),
      i64.or(
        i64.shrU(
          i64.or(
            i64.shl(i64.load32U(place * 4, get(ofRow.iovaHi)), i64.of(32n)),
            i64.load32U(place * 4, get(ofRow.iovaLo)),
          ),
          i64.of(12n),
        ),
        i64.shl(i64.extendU(i32.and(get(space), i32.of(SPACE_BITS))), i64.of(32n)),
      ),
    ),
  ];
  // most come in bursts of one requester: of the last one all is known
  const any = word();
  const vector = (): number => code.local('v128');
  const last = { rid: vector(), domain: vector(), space: vector() };
  const [low, upper] = [vector(), vector()];
  const isLast = (name: 'rid' | 'domain'): Code => v128.equal32(v128.loadAny(0, addressOf(name)), get(last[name]));
  const advance: readonly Code[] = [
    plus(to, TOGETHER * 8),
    plus(seen, TOGETHER),
    plus(row, TOGETHER),
    plus(at, TOGETHER),
  ];
  const asBefore: readonly Code[] = [
    set(low, v128.loadAny(0, addressOf('iovaLo'))),
    set(upper, v128.loadAny(0, addressOf('iovaHi'))),
    set(low, v128.or(v128.shrU32(get(low), i32.of(12)), v128.shl32(get(upper), i32.of(20)))),
    set(upper, v128.or(v128.shrU32(get(upper), i32.of(12)), get(last.space))),
    v128.storeAny(0, get(to), v128.shuffle(FIRST_PAIRS, get(low), get(upper))),
    v128.storeAny(16, get(to), v128.shuffle(LAST_PAIRS, get(low), get(upper))),
  ];
  const alike: readonly Code[] = [
    // how far accesses go
    set(stop, get(at)),
    block(
      loop(
        jumpIf(1, i32.ltU(get(end), i32.add(get(stop), i32.of(16)))),
        jumpIf(1, i32.eqz(v128.all8(v128.equal8(v128.loadAny(0, streamAt(stop)), v128.splat8(i32.of(dma)))))),
        plus(stop, 16),
        jump(0),
      ),
    ),
    block(
      loop(
        jumpIf(1, i32.leU(get(end), get(stop))),
        jumpIf(1, i32.ne(i32.load8U(0, streamAt(stop)), i32.of(dma))),
        plus(stop, 1),
        jump(0),
      ),
    ),
    block(
      loop(
        jumpIf(1, i32.ltU(get(stop), i32.add(get(at), i32.of(TOGETHER)))),
        jumpIf(1, i32.ltU(get(limit), i32.add(get(to), i32.of(TOGETHER * 8)))),
        jumpIf(1, v128.any(v128.and(v128.loadAny(0, addressOf('outcome')), v128.splat32(i32.of(untranslated))))),
        jumpIf(1, i32.eqz(v128.all32(v128.shrU32(v128.loadAny(0, addressOf('pasid')), i32.of(31))))),
        when(
          i32.and(get(any), v128.all32(v128.and(isLast('rid'), isLast('domain')))),
          ...asBefore,
          ...advance,
          jump(1),
        ),
        ...Object.entries(ofRow).map(([name, local]) => set(local, addressOf(name as keyof typeof ofRow))),
        ...Array.from({ length: TOGETHER }, (_, place) => together(place)).flat(),
        jumpIf(1, get(unlike)),
        set(any, i32.of(1)),
        set(last.rid, v128.splat32(get(requester))),
        set(last.domain, v128.splat32(get(domain))),
        set(last.space, v128.splat32(i32.and(get(space), i32.of(SPACE_BITS)))),
        ...advance,
        jump(0),
      ),
    ),
  ];

  code.body = [
    ...COLUMNS.flatMap((name) => set(base[name]!, state(name))),
    ...set(row, state('row')),
    ...set(to, state('to')),
    ...set(seen, state('seen')),
    ...alike.flat(),
    ...block(
      loop(
        jumpIf(1, i32.eqz(i32.ltU(get(at), get(end)))),
        jumpIf(1, i32.eqz(i32.ltU(get(to), get(limit)))),
        jumpIf(1, i32.ne(i32.load8U(0, streamAt(at)), i32.of(dma))),
        when(
          i32.eqz(i32.and(column('outcome'), i32.of(untranslated))),
          set(requester, column('rid')),
          // a requester id of more than 16 bits, or a PASID
          jumpIf(2, i32.or(i32.shrU(get(requester), i32.of(16)), i32.eqz(i32.shrU(column('pasid'), i32.of(31))))),
          set(space, i32.load(REQUESTERS_AT, tee(requester, i32.shl(get(requester), i32.of(3))))),
          jumpIf(2, i32.eqz(get(space))),
          when(
            i32.eqz(i32.and(get(space), i32.of(1))),
            set(domain, column('domain')),
            when(
              i32.xor(get(domain), i32.of(-1)),
              jumpIf(4, i32.xor(get(domain), i32.load(REQUESTERS_AT + 4, get(requester)))),
            ),
          ),
          set(high, column('iovaHi')),
          i32.store(0, get(to), i32.or(i32.shrU(column('iovaLo'), i32.of(12)), i32.shl(get(high), i32.of(20)))),
          i32.store(4, get(to), i32.or(i32.shrU(get(high), i32.of(12)), i32.and(get(space), i32.of(SPACE_BITS)))),
          plus(to, 8),
          plus(seen, 1),
        ),
        plus(row, 1),
        plus(at, 1),
        jump(0),
      ),
    ),
    ...i32.store(STATE.row, i32.of(0), get(row)),
    ...i32.store(STATE.to, i32.of(0), get(to)),
    ...i32.store(STATE.seen, i32.of(0), get(seen)),
    ...get(at),
  ];
  return code;
}
