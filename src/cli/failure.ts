/** What went wrong, told to people on stderr or to programs on stdout. */
import { LockError, type SystemError } from '../errors.js';
import { plain } from '../owner.js';
import type { Surroundings } from './context.js';
import { errorExitCode, ExitCode, UsageError } from './exit-codes.js';

/** There is no such command, or none was named. */
export class UnknownCommand extends UsageError {
  constructor(readonly command: string | undefined) {
    super(command === undefined ? 'a command is missing' : `there is no command '${command}'`);
  }
}

/** @returns the exit code */
export function tellFailure(
  error: unknown,
  name: string | undefined,
  words: readonly string[],
  { output, errors }: Surroundings,
): number {
  const failure = failureOf(error);
  const { exitCode, message } = failure;
  if (wantsJson(words)) {
    output.write(`${JSON.stringify({ ok: false, ...failure })}\n`);
    return exitCode;
  }
  const program = `holdfast ${error instanceof UnknownCommand ? '' : (name ?? '')}`.trimEnd();
  errors.write(`${plain(`${program}: ${message}`)}\n`);
  const help = error instanceof UnknownCommand ? 'holdfast help' : `${program} --help`;
  if (exitCode === ExitCode.usage) errors.write(`Try: ${help}\n`);
  return exitCode;
}

/** As data. */
export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
}

export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: errorExitCode(error), code: codeOf(error), message, ...detailsOf(error) };
}

/** Also of words that make no sense: whoever asked for JSON reads nothing else. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return (end === -1 ? words : words.slice(0, end)).includes('--json');
}

function codeOf(error: unknown): string {
  if (error instanceof UsageError) return 'USAGE';
  return error instanceof LockError ? error.code : 'UNKNOWN';
}

function detailsOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof LockError)) return {};
  const { path = null, cause } = error;
  const { code, syscall } = (cause ?? {}) as Partial<SystemError>;
  return { path, ...(syscall === undefined ? {} : { cause: { code, syscall } }) };
}
