/** Runs a contender's loop as many times as it is asked to; answers the nanoseconds it took. */
import { now, serve } from '../lib/serve.mjs';

const [module, loop, file] = process.argv.slice(2);
const contender = await import(module);

serve(async (times) => {
  const began = now();
  await contender[loop](file, times);
  return Number(now() - began);
});
