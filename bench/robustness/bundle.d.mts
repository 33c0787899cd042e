/** Bundles `fuzz-worker.mjs` and `main.mjs` into a folder. */
export function bundleFuzzer(folder: string): Promise<void>;
