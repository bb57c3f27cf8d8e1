/**
 * What a command does to leases is written down in `audit.log`, in their folder.
 *
 * It is for looking back, and nothing relies on it: a log that cannot be written is a warning, and the
 * command goes on. A command that fails as well says why itself, and that is enough.
 */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { auditTo } from '../audit.js';
import { makeFolders } from '../folder.js';
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { asUsage, type FinalCode } from './exit-codes.js';

type Run = (context: Context) => Promise<number | FinalCode>;

/** The log of the leases in this folder. A lease of that name is in other files. */
export function auditPath(root: string): string {
  return join(root, 'audit.log');
}

/** Leases in files make their folder themselves; of those elsewhere the log alone is here. */
function makeHome(root: string, onError: (error: unknown) => void): void {
  try {
    makeFolders(root, 0o700);
  } catch (error) {
    onError(error);
  }
}

/** Runs a command, and writes down what happens meanwhile. */
export async function audited(
  command: string,
  context: Context,
  run: Run,
): Promise<number | FinalCode> {
  let quiet = false;
  const onError = (error: unknown): void => {
    if (quiet) return;
    quiet = true;
    const { message } = error as Error;
    context.errors.write(`holdfast ${command}: the audit log is incomplete: ${plain(message)}\n`);
  };
  const audit = asUsage(() => auditTo(auditPath(context.root), { onError }));
  try {
    if (context.store !== undefined) makeHome(context.root, onError);
    const code = await run(context);
    await nextTurn(); // a failure to write is told on another turn
    return code;
  } finally {
    quiet = true;
    audit.close();
  }
}
