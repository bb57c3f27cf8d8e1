/** What the commands end with. Scripts rely on these numbers. */
import { constants } from 'node:os';

export const ExitCode = {
  ok: 0,
  failed: 1,
  /** The command was called wrongly; EX_USAGE of sysexits(3). */
  usage: 64,
} as const;

/** What a shell reports for a program that a signal ended: 130 for SIGINT. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
