/** `holdfast unfreeze NAME`: ends a freeze. */
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { ExitCode } from './exit-codes.js';

export async function run(context: Context): Promise<number> {
  const { leases, name } = context;
  const thawed = await leases.unfreeze(name);
  if (!thawed) return context.fail(ExitCode.notFound, `${plain(name)} is not frozen`, { name });
  context.say(`unfroze ${plain(name)}`, { ok: true, name });
  return ExitCode.ok;
}
