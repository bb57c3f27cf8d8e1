/** Ctrl-C and its kin, and a reader that goes away: the command ends, and leaves nothing behind. */
import { FinalCode, signalExitCode } from './exit-codes.js';
import type { Output } from './screen.js';

/**
 * Runs `fn` with a signal that aborts when the command is to end. The handlers stay until `fn` has
 * cleaned up: npm passes on a Ctrl-C that the terminal has already delivered.
 *
 * @returns what `fn` returns, or 128 and the number of the signal unless that is final
 * @throws what `fn` throws, unless it was interrupted
 */
export async function interruptible(
  output: Output,
  fn: (signal: AbortSignal) => Promise<number | FinalCode>,
): Promise<number> {
  const controller = new AbortController();
  let interruptedBy: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    interruptedBy ??= signal;
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  // Stays: what was written last may fail later.
  let unwritten: Error | undefined;
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unwritten ??= new Error(`cannot write: ${error.message}`);
    interrupt('SIGPIPE');
  });
  try {
    const code = await fn(controller.signal);
    if (code instanceof FinalCode) return code.code; // what it wrote was its own
    await flushed(output);
    if (unwritten !== undefined) throw unwritten;
    return interruptedBy === undefined ? code : signalExitCode(interruptedBy);
  } catch (error) {
    if (interruptedBy === undefined || error === unwritten) throw error;
    return signalExitCode(interruptedBy);
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

/** What was written has arrived, or its failure has been told. */
export function flushed(output: Output): Promise<void> {
  return new Promise((resolve) => {
    output.write('', () => {
      setImmediate(resolve);
    });
  });
}
