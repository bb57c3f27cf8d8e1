/** When etcd says no: which no it is, and whether asking again may help. */

/**
 * `not found`: there is no such thing, mostly a lease that is over. `exists`: there is one already.
 * `unknown user`: the token that was sent is over, or older than the last change of the users.
 * `passing`: another try may be answered otherwise; `final`: it would not, wherever it is asked, for all
 * nodes have agreed on what it is judged by. `here`: it would not, but that is this node's own state: it has
 * no gateway, is of another version, its data are damaged, or it is no etcd.
 */
type Kind = 'not found' | 'exists' | 'unknown user' | 'passing' | 'final' | 'here';

/** By the codes of gRPC: cancelled, unknown, deadline, exhausted, aborted, internal, unavailable pass. */
const kinds = new Map<unknown, Kind>([
  ...[1, 2, 4, 8, 10, 13, 14].map((code) => [code, 'passing'] as const),
  ...[12, 15].map((code) => [code, 'here'] as const), // unimplemented, data loss
  [5, 'not found'],
  [16, 'unknown user'],
]);

export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    message: string,
    readonly kind: Kind,
  ) {
    super(message);
  }
}

/** Whatever else goes wrong with a question passes. */
export function kindOf(error: unknown): Kind {
  return error instanceof Refusal ? error.kind : 'passing';
}

const gatewayIsOff =
  'no JSON gateway there (404): etcd 3.4 that is started with --config-file ' +
  'needs "enable-grpc-gateway: true"';

/** Undefined: the answer is no refusal. */
export function refusalIn(path: string, status: number, text: string): Refusal | undefined {
  const { error, ...outer } = fieldsOf(text);
  // Each answer has a header, which says who gave it; one in lines is wrapped.
  const answer = Object(outer['result'] ?? outer) as object;
  if (status === 200 && error === undefined && 'header' in answer) return undefined;
  // An answer in lines wraps what went wrong: the gateway of etcd 3.6 as it is, those before by other names.
  const inner = Object(error) as Record<string, unknown>;
  const code = outer['code'] ?? inner['grpc_code'] ?? inner['code'];
  if (code === undefined && status === 404) return new Refusal(gatewayIsOff, 'here');
  const said = outer['message'] ?? inner['message'] ?? error;
  const message = `${typeof said === 'string' ? said : `not etcd, HTTP status ${status}`} (${path})`;
  if (message.includes('auth store is old')) return new Refusal(message, 'unknown user');
  // The same code says of a password that there are no users.
  if (code === 9 && path === '/v3/lease/grant') return new Refusal(message, 'exists');
  // Without a code it was not etcd's gateway that answered.
  const foreign = status >= 500 ? 'passing' : 'here';
  return new Refusal(message, kinds.get(code) ?? (code === undefined ? foreign : 'final'));
}

export function timeOut(path: string, ms: number): Error {
  const message = `no answer within ${Math.round(ms)} ms (${path})`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall: 'request' });
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
