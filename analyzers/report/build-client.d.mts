/** Text of the module that the build writes to `client-bundle.generated.ts`. */
export function clientModule(): Promise<string>;
/** Text of the generated module of `iorr view`. */
export function viewModule(): Promise<string>;
