/** `holdfast guard NAME -- CMD…`: holds a lease, or a file lock, for the life of a command. */
import { onAbort } from '../abort.js';
import { addon } from '../native.js';
import { plain } from '../owner.js';
import { Child, childIsApart, type End } from './child.js';
import type { Context } from './context.js';
import { ExitCode, FinalCode, UsageError } from './exit-codes.js';
import { takeFileLock } from './guard-file.js';
import { takeLease, type Held } from './guard-lease.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const defaultKillAfterMs = 10_000;

export async function run(context: Context): Promise<number | FinalCode> {
  const { args, signal } = context;
  if (args.command.length === 0) throw new UsageError('guard needs a command after --');
  const killAfterMs = args.duration('kill-after', 0) ?? defaultKillAfterMs;
  const held = await (args.text('file') === undefined ? takeLease : takeFileLock)(context);
  if (typeof held === 'number') return held;
  // Nothing is awaited between this look and the start: a signal that comes later is the child's.
  if (signal.aborted) {
    await held.release();
    return ExitCode.ok; // the signal decides
  }
  return new FinalCode(await guard(context, held, killAfterMs));
}

async function guard(context: Context, held: Held, killAfterMs: number): Promise<number> {
  const say = (message: string): void => {
    context.errors.write(`holdfast guard: ${plain(message)}\n`);
  };
  let child: Child | undefined;
  const pass = (signal: NodeJS.Signals): void => {
    child?.pass(signal);
  };
  /** Ctrl-Z: we stop by the default, and the command with us; a shell continues us, and we it. */
  const pause = (): void => {
    process.off('SIGTSTP', pause);
    child?.pause(() => {
      process.kill(process.pid, 'SIGTSTP');
      held.look?.(); // what has to end shall not go on before
    });
    process.on('SIGTSTP', pause);
  };
  // Before there is a child: one that is sent QUIT without a listener dies of it.
  for (const signal of signals) process.on(signal, pass);
  if (childIsApart()) process.on('SIGTSTP', pause);
  try {
    const { descriptor } = held;
    child = new Child(context.args.command, { env: { ...context.env, ...held.env }, descriptor });
    const { code, failure } = await untilEnd(child, held, killAfterMs, say);
    addon.outliveUs(); // what it left in the background goes on
    if (failure !== undefined) {
      const { message, ...data } = failure;
      if (context.args.flag('json')) context.tell(code, message, data);
      else say(message);
    }
    const told = held.lost?.aborted === true;
    if (await held.release()) return code;
    if (!told) say(`${held.what} was lost before the command had ended`);
    return ExitCode.lost;
  } catch (error) {
    say((error as Error).message); // of the release; whoever comes next takes it all the same
    return ExitCode.failed;
  } finally {
    for (const signal of signals) process.off(signal, pass);
    process.off('SIGTSTP', pause);
  }
}

/** Of the command, of its own accord or because what it was to be guarded by is lost. */
async function untilEnd(
  child: Child,
  { lost, what, env }: Held,
  killAfterMs: number,
  say: (message: string) => void,
): Promise<End> {
  let stopped: Promise<void> | undefined;
  const unlisten =
    lost &&
    onAbort(lost, () => {
      say(`${what} is lost: somebody broke it, or took it over. Ending the command`);
      stopped = child.stop(killAfterMs, `HOLDFAST_ID=${env['HOLDFAST_ID'] ?? ''}`);
    });
  const end = await child.ended;
  unlisten?.();
  await stopped;
  return end;
}
