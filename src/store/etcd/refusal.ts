/** When etcd says no: which no it is, and whether asking again may help. */

/** The codes of gRPC that matter here. */
const codes = { notFound: 5, failedPrecondition: 9, unauthenticated: 16 };

/** Cancelled, unknown, deadline, exhausted, aborted, internal, unavailable. */
const passing = new Set([1, 2, 4, 8, 10, 13, 14]);

export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** The question was sent before, and what became of that is unknown. */
  resent = false;

  constructor(
    message: string,
    /** Of HTTP. */
    readonly status: number,
    /** Of gRPC; undefined where it was not etcd's gateway that answered. */
    readonly code: number | undefined,
  ) {
    super(message);
  }

  /** Another try would be answered in the same way. */
  get final(): boolean {
    return (
      !this.unknownUser && (this.code === undefined ? this.status < 500 : !passing.has(this.code))
    );
  }

  /** There is no such thing: mostly a lease that is over. */
  get notFound(): boolean {
    return this.code === codes.notFound;
  }

  /** There is such a thing already. */
  get exists(): boolean {
    return this.code === codes.failedPrecondition;
  }

  /** The token that was sent is over, or older than the last change of the users. */
  get unknownUser(): boolean {
    return this.code === codes.unauthenticated || this.message.includes('auth store is old');
  }
}

/** Undefined: the answer is no refusal. */
export function refusalIn(path: string, status: number, text: string): Refusal | undefined {
  const { error, code, message } = fieldsOf(text);
  if (status === 200 && error === undefined) return undefined;
  // An answer in lines wraps what went wrong.
  const inner = typeof error === 'object' ? (error as Record<string, unknown>) : {};
  const said = message ?? inner['message'] ?? error;
  const number = code ?? inner['grpc_code'];
  const known = typeof number === 'number' ? number : undefined;
  if (known === undefined && status === 404) return new Refusal(gatewayIsOff, status, undefined);
  const shown = typeof said === 'string' ? said : `HTTP status ${status}`;
  return new Refusal(`${shown} (${path})`, status, known);
}

const gatewayIsOff =
  'no JSON gateway there (404): etcd 3.4 that is started with --config-file ' +
  'needs "enable-grpc-gateway: true"';

export function timeOut(path: string, ms: number): Error {
  const message = `no answer within ${Math.round(ms)} ms (${path})`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall: 'request' });
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // Not JSON: not etcd.
  }
  return { error: 'not the answer of etcd' };
}
