/** `holdfast exists NAME`: for scripts; the exit code is the answer. */
import type { Context } from './context.js';
import { ExitCode } from './exit-codes.js';

export async function run({ args, leases, name, output }: Context): Promise<number> {
  const info = await leases.inspect(name);
  const exists = info?.state === 'held';
  if (args.flag('json')) {
    output.write(`${JSON.stringify({ ok: exists, name, state: info?.state ?? 'free' })}\n`);
  }
  return exists ? ExitCode.ok : ExitCode.notFound;
}
