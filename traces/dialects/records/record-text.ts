/** `read write last`: what a request asks for; `stop` where it asks for nothing. */
export function accessText(access: {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly privileged: boolean;
  readonly last: boolean;
}): string {
  const words = (['read', 'write', 'execute', 'privileged', 'last'] as const).filter((name) => access[name]);
  return words.length === 0 ? 'nothing' : words.join(' ');
}
