/**
 * Thrown by the model where only something that the recording does not hold decides a call's result: memory behind a pointer,
 * an object from before the recording began, what real hardware answers. The verifier skips the call and counts `reason`.
 */
export class Unjudged extends Error {
  readonly reason: string;
  /** What the call did, if the recording says that it succeeded, by what it returned. */
  readonly effect: ((ret?: number) => void) | undefined;

  /** What is learnt from it, if the recording says that it failed, by the errno. */
  readonly refused: ((errno: number) => void) | undefined;

  constructor(reason: string, effect?: (ret?: number) => void, refused?: (errno: number) => void) {
    super(reason);
    this.name = 'Unjudged';
    this.reason = reason;
    this.effect = effect;
    this.refused = refused;
  }
}
