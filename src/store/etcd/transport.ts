/**
 * Questions to etcd's JSON gateway, and what becomes of those that are not answered.
 *
 * A question goes to one endpoint; when that fails, to the next, again and again until it is answered
 * or its time is over. After a round of all endpoints there is a pause. So a question may arrive twice,
 * and every question asked here bears it: a refusal says whether it was asked before (`resent`).
 */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';

import { onAbort } from '../../abort.js';
import { backoff } from '../../backoff.js';
import { Bell } from '../../bell.js';
import { LockError } from '../../errors.js';
import { endpointsOf, type EtcdOptions, type EtcdTls } from './options.js';
import { Refusal, refusalIn, timeOut } from './refusal.js';

/** What a question may be given. */
export interface Asking {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for it and all its repetitions; default: that of the store. */
  readonly timeout?: number;
}

export type Answer = Readonly<Record<string, unknown>>;

/** More at a time wait for one of these connections. */
const maxSockets = 64;

export class Transport {
  readonly timeout: number;
  readonly #endpoints: readonly URL[];
  readonly #lib: typeof http | typeof https;
  readonly #tls: EtcdTls;
  readonly #agent: http.Agent;
  readonly #auth: EtcdOptions['auth'];
  #token: Promise<string> | undefined;
  #at = 0;

  constructor({ endpoints, auth, tls = {}, timeout = 5000 }: EtcdOptions) {
    this.timeout = timeout;
    this.#endpoints = endpointsOf(endpoints);
    this.#lib = this.#endpoints[0]?.protocol === 'https:' ? https : http;
    this.#tls = tls;
    this.#agent = new this.#lib.Agent({ keepAlive: true, maxSockets, ...tls });
    this.#auth = auth;
  }

  /**
   * @throws {Refusal} there is no such thing, or there is one already
   * @throws {LockError} `ERR_LOCK_STORE_UNAVAILABLE`, with what happened last as its cause
   */
  async ask(path: string, question: object, asking: Asking = {}): Promise<Answer> {
    const { signal, timeout = this.timeout } = asking;
    const deadline = performance.now() + timeout;
    const count = this.#endpoints.length;
    // One endpoint that swallows all must leave time for another.
    const share = timeout / Math.min(count, 3);
    const pauses = backoff({ initial: 20, max: 500, jitter: 1 });
    let cause: unknown;
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      const left = deadline - performance.now();
      if (left <= 0) throw this.#unavailable(cause);
      const at = this.#at;
      try {
        return await this.#once(path, question, Math.min(left, share), signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Refusal && error.final) {
          error.resent = tries > 1;
          if (error.notFound || error.exists) throw error;
          throw this.#unavailable(error);
        }
        cause = error;
        // Unless somebody else found out before.
        if (this.#at === at) this.#at = (at + 1) % count;
      }
      if (tries % count === 0) await pause(Math.min(pauses.next().value, left), signal);
    }
  }

  /**
   * A question that is answered by one line after the other, until `end` is called or the connection
   * breaks, which `ended` is told. It does not keep the program alive.
   */
  async stream(
    path: string,
    question: object,
    each: (line: unknown) => void,
    ended: () => void,
  ): Promise<{ end: () => void }> {
    const at = this.#at;
    const request = await this.#request(path, question, undefined);
    request.on('socket', (socket) => socket.setKeepAlive(true, 10_000).unref());
    request.on('error', () => {
      if (this.#at === at) this.#at = (at + 1) % this.#endpoints.length;
    });
    request.on('close', ended);
    request.on('response', (response) => {
      readLines(response, each, (error) => request.destroy(error));
    });
    return { end: () => request.off('close', ended).destroy() };
  }

  get hosts(): string[] {
    return this.#endpoints.map(({ host }) => host);
  }

  /** Whatever is under way is cut off. */
  close(): void {
    this.#agent.destroy();
  }

  async #once(
    path: string,
    question: object,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const request = await this.#request(path, question, this.#agent);
    const stop = (): void => void request.destroy(timeOut(path, timeout));
    const timer = setTimeout(stop, timeout);
    const unlisten = signal && onAbort(signal, stop);
    if (signal?.aborted === true) stop();
    try {
      const [status, text] = await response(request);
      const refusal = refusalIn(path, status, text);
      if (refusal === undefined) return JSON.parse(text) as Answer;
      if (refusal.unknownUser) this.#token = undefined;
      throw refusal;
    } finally {
      clearTimeout(timer);
      unlisten?.();
    }
  }

  async #request(
    path: string,
    question: object,
    agent: http.Agent | undefined,
  ): Promise<http.ClientRequest> {
    const { hostname, port } = this.#endpoints[this.#at] ?? {};
    const payload = Buffer.from(JSON.stringify(question));
    const headers: http.OutgoingHttpHeaders = {
      'content-type': 'application/json',
      'content-length': payload.length,
    };
    // Without a leader a watch would be silent for ever; with this it is ended.
    if (agent === undefined) headers['grpc-metadata-hasleader'] = 'true';
    if (this.#auth !== undefined && path !== authenticate) {
      headers.authorization = await this.#authenticated(this.#auth);
    }
    const host = hostname?.replace(/^\[|\]$/g, ''); // as an address of IPv6 stands in a URL
    const options: https.RequestOptions = {
      ...this.#tls,
      host,
      port,
      path,
      method: 'POST',
      headers,
    };
    const request = this.#lib.request({ ...options, agent: agent ?? false });
    request.end(payload);
    return request;
  }

  /** One for all who ask now. */
  #authenticated({ user, password }: { user: string; password: string }): Promise<string> {
    const asked = { name: user, password };
    const token = (this.#token ??= this.#once(authenticate, asked, this.timeout, undefined).then(
      ({ token }) => String(token),
    ));
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  #unavailable(cause: unknown): LockError {
    const said = cause instanceof Error ? cause.message : 'no answer';
    const message = `etcd at ${this.hosts.join(', ')} is not available: ${said}`;
    return new LockError('ERR_LOCK_STORE_UNAVAILABLE', message, { cause });
  }
}

const authenticate = '/v3/auth/authenticate';

function response(request: http.ClientRequest): Promise<[status: number, text: string]> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (message) => {
      const chunks: Buffer[] = [];
      message.on('data', (chunk: Buffer) => chunks.push(chunk));
      message.on('error', reject);
      message.on('end', () => {
        resolve([message.statusCode ?? 0, Buffer.concat(chunks).toString()]);
      });
    });
  });
}

function readLines(
  response: IncomingMessage,
  each: (line: unknown) => void,
  fail: (error: Error) => void,
): void {
  let rest = '';
  response.setEncoding('utf8');
  response.on('error', fail);
  response.on('end', () => {
    fail(new Error('the stream ended'));
  });
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    try {
      for (const line of lines) each(JSON.parse(line));
    } catch (error) {
      fail(error as Error);
    }
  });
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const bell = new Bell();
  const unlisten =
    signal &&
    onAbort(signal, () => {
      bell.ring();
    });
  await bell.wait(ms);
  unlisten?.();
}
