/** `holdfast exists NAME`: for scripts; the exit code is the answer. */
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { ExitCode } from './exit-codes.js';

export async function run(context: Context): Promise<number> {
  const { args, leases, name } = context;
  const { state } = (await leases.inspect(name)) ?? { state: 'free' };
  const code = state === 'held' ? ExitCode.ok : ExitCode.notFound;
  if (args.flag('json')) context.tell(code, `nobody holds ${plain(name)}`, { name, state });
  return code;
}
