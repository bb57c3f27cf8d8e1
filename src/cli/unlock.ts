/** `holdfast unlock NAME`: ends a lease; somebody else's only by force. */
import { LockError } from '../errors.js';
import type { LeaseInfo } from '../lease-info.js';
import { defaultOwner, plain } from '../owner.js';
import { takeable } from '../staleness.js';
import type { Context } from './context.js';
import { errorExitCode, ExitCode, UsageError, worst } from './exit-codes.js';
import { denial, infoJson } from './wording.js';

/** What came of one name. */
interface Outcome {
  readonly name: string;
  readonly code: number;
  /** For people; undefined when there is nothing to say. */
  readonly line: string;
  readonly info: LeaseInfo | null;
}

export async function run(context: Context): Promise<number> {
  const { args } = context;
  if (args.flag('force') && args.flag('break-stale')) {
    throw new UsageError('--force and --break-stale exclude each other');
  }
  if (args.flag('all') === args.operands.length > 0) {
    throw new UsageError('unlock needs a name, or --all');
  }
  const names = args.flag('all') ? await ownNames(context) : context.names;
  const outcomes: Outcome[] = [];
  for (const name of names) outcomes.push(await unlock(context, name).catch(failureOf(name)));
  const none = `${owner(context)} holds nothing${args.flag('force') ? '' : ' that lock has left'}`;
  const code =
    names.length === 0 ? ExitCode.notFound : worst(outcomes.map((outcome) => outcome.code));
  if (args.flag('json')) {
    const failed = outcomes.filter((outcome) => outcome.code !== ExitCode.ok);
    const message = names.length === 0 ? none : failed.map(({ line }) => line).join('\n');
    context.tell(code, message, { results: results(outcomes) });
  } else {
    for (const { line, code } of outcomes) {
      (code === ExitCode.ok ? context.output : context.errors).write(`${line}\n`);
    }
    if (names.length === 0) context.errors.write(`${none}\n`);
  }
  return code;
}

/** What goes wrong with one is no reason to be silent of the others. */
function failureOf(name: string): (error: unknown) => Outcome {
  return (error) => {
    if (!(error instanceof LockError)) throw error;
    const line = plain(`holdfast unlock: ${error.message}`);
    return { name, code: errorExitCode(error), line, info: null };
  };
}

async function unlock(context: Context, name: string): Promise<Outcome> {
  const { args, leases } = context;
  const shown = plain(name);
  const info = await leases.inspect(name);
  const end = (code: number, line: string): Outcome => ({ name, code, line, info });
  const nobody = end(ExitCode.notFound, `nobody holds ${shown}`);
  if (info === null) return nobody;
  if (args.flag('force')) {
    const broken = await leases.break(name, { force: true });
    return broken === null ? nobody : end(ExitCode.ok, `broke ${shown}`);
  }
  const { holder, id, token, kind } = info;
  const mine = holder?.owner === owner(context);
  const stale = takeable(info.state) || (info.state === 'frozen' && id !== null);
  if (args.flag('break-stale') || (mine && stale && kind === 'attached')) {
    const broken = await leases.break(name, { stale: true });
    if (broken !== null) return end(ExitCode.ok, `broke ${shown}: ${info.why}`);
    if (info.state !== 'held') return nobody;
    return end(ExitCode.held, denial(info, Date.now()));
  }
  if (id === null || token === null) {
    if (info.state === 'frozen' || info.state === 'free') return nobody;
    if (info.why === 'sidecar') {
      return end(ExitCode.failed, `${shown} is the sidecar of a file lock, no lease`);
    }
    return end(ExitCode.failed, `${shown} cannot be read (${info.why}); --force removes it`);
  }
  const refused = (why: string): Outcome => {
    return end(ExitCode.notOwner, `${denial(info, Date.now())}: ${why}`);
  };
  if (!mine && stale) {
    return end(
      ExitCode.notFound,
      `nobody holds ${shown} any more (${info.why}); --break-stale removes what is left`,
    );
  }
  if (!mine) return refused('not yours; --force breaks it');
  if (kind === 'attached') return refused('it ends with its process; --force breaks it');
  const lease = await leases.adopt(name, { id, token });
  return (await lease.release()) === 'released' ? end(ExitCode.ok, `unlocked ${shown}`) : nobody;
}

/** All that `--all` means: what this owner has left standing. */
async function ownNames(context: Context): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, holder, kind } of context.leases.list()) {
    const forced = context.args.flag('force');
    if (holder?.owner === owner(context) && (kind === 'detached' || forced)) names.push(name);
  }
  return names;
}

function owner(context: Context): string {
  return context.namedOwner ?? defaultOwner();
}

function results(outcomes: readonly Outcome[]): Record<string, unknown>[] {
  const now = Date.now();
  return outcomes.map(({ name, code, line, info }) => ({
    name,
    ok: code === ExitCode.ok,
    exitCode: code,
    message: line,
    lease: info && infoJson(info, now),
  }));
}
