/** `holdfast doctor`: tries whether leases work in this folder, instead of believing it. */
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../folder.js';
import { plain } from '../owner.js';
import type { LeaseStore } from '../store/store.js';
import type { Context } from './context.js';
import { checks, type Finding } from './doctor-checks.js';
import { storeChecks } from './doctor-store.js';
import { ExitCode } from './exit-codes.js';
import { screenOn } from './screen.js';

interface Diagnosis extends Finding {
  readonly check: string;
}

export async function run(context: Context): Promise<number> {
  const { args, output, store, signal, where: root } = context;
  const found = await (store === undefined ? examine(context, root) : examineStore(store, signal));
  const failures = found.flatMap(({ check, state }) => (state === 'fail' ? [check] : []));
  const code = failures.length > 0 ? ExitCode.failed : ExitCode.ok;
  if (args.flag('json')) {
    context.tell(code, `failed: ${failures.join(', ')}`, { root, checks: found });
  } else {
    for (const line of found.flatMap((each) => lines(context, each))) output.write(`${line}\n`);
  }
  return code;
}

async function examineStore(store: LeaseStore, signal: AbortSignal): Promise<Diagnosis[]> {
  const found: Diagnosis[] = [];
  for (const [check, look] of Object.entries(storeChecks)) {
    signal.throwIfAborted();
    found.push({ check, ...(await look(store).catch(failed)) });
  }
  return found;
}

async function examine({ args, signal }: Context, root: string): Promise<Diagnosis[]> {
  let made: string | undefined;
  let scratch: string | undefined;
  try {
    made = makeFolders(root, 0o700);
    scratch = mkdtempSync(join(root, '.doctor-'));
    const found: Diagnosis[] = [];
    for (const [check, look] of Object.entries(checks)) {
      signal.throwIfAborted();
      const finding = await Promise.resolve({ root, scratch, args }).then(look).catch(failed);
      found.push({ check, ...finding });
    }
    return found;
  } catch (error) {
    if (signal.aborted) throw error;
    const remedy = 'make it a folder that you may write to, or set HOLDFAST_ROOT to another';
    return [{ check: 'folder', ...failed(error), remedy }];
  } finally {
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
    if (made !== undefined) removeEmpty(root, made);
  }
}

function failed(error: unknown): Finding {
  const text = error instanceof Error ? error.message : String(error);
  return { state: 'fail', text, remedy: 'see the message; holdfast cannot work here' };
}

/** What was made for the examination goes, unless somebody has begun to use it. */
function removeEmpty(root: string, first: string): void {
  try {
    for (let at = root; ; at = join(at, '..')) {
      rmdirSync(at);
      if (at === first) return;
    }
  } catch {
    // Not empty.
  }
}

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

function lines({ output }: Context, { check, state, text, remedy }: Diagnosis): string[] {
  const screen = screenOn(output);
  const mark = screen.paint(colours[state], state.padEnd(4));
  const line = `${mark}  ${screen.paint('bold', check.padEnd(11))}  ${plain(text)}`;
  return remedy === undefined ? [line] : [line, `${' '.repeat(19)}${plain(remedy)}`];
}
