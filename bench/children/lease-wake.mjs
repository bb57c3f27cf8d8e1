/**
 * Holds or waits for one lease, as it is asked. Answers when it was granted, or when it began to give
 * it back, in nanoseconds.
 */
import { now, serve } from '../lib/serve.mjs';

const [module, file] = process.argv.slice(2);
const { acquireLease, releaseLease } = await import(module);
let lease;

serve(async (request) => {
  if (request === 'pid') return process.pid;
  if (request === 'acquire') {
    lease = await acquireLease(file);
    return Number(now());
  }
  const began = Number(now());
  await releaseLease(lease);
  return began;
});
