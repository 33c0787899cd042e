/**
 * A command dialect: how one family of IOMMUs writes its native commands. Encoding, decoding and a readable line, nothing
 * else: what a command does to caches is in `replay/model/`.
 */
export interface CommandDialect<Command extends DialectCommand = DialectCommand> {
  /** As in `DIALECT_NAMES`. */
  readonly name: string;
  /** As in `DIALECT`; the `dialect` column of inv events. */
  readonly id: number;
  /** 64-bit words of the longest command. */
  readonly words: number;
  /** Names of command types by type number; 0 is `undefined`. */
  readonly typeNames: readonly string[];
  /** Type number of the command that reports when those before it are done (wait, sync, fence); -1 where there is none. */
  readonly completion: number;
  /** Type numbers of the commands that go on to a device's TLB. */
  readonly deviceTlb: readonly number[];
  /** Type number from the int32 halves of the first word; allocates nothing. */
  typeNumber(w0Lo: number, w0Hi: number): number;
  /** Exact words of a command. Fields too large for their bits throw `RangeError`. */
  encode(command: Command): bigint[];
  /** Never throws: what is undefined or reserved is listed in `problems`. Missing words are read as 0. */
  decode(words: readonly bigint[]): Command;
  /** One line: `iotlb page did 4 addr 0xffe31000 mask 0 ih drain`. Problems follow after a semicolon. */
  disassemble(words: readonly bigint[]): string;
}

/** What commands of all dialects have. */
export interface DialectCommand {
  /** Name of the command's type, `undefined` for a type that the dialect does not have. */
  readonly type: string;
  /** What is wrong with the words: undefined granularity, reserved bits that are set. */
  readonly problems: readonly string[];
}
