/**
 * Questions to etcd's JSON gateway, and what becomes of those that are not answered.
 *
 * A question goes to one endpoint; when that fails, to the next, again and again until it is answered
 * or its time is over. After a round of all endpoints there is a pause. So a question may arrive twice,
 * and every question asked here bears it.
 */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';

import { limited, maxDelay, timeUp } from '../../abort.js';
import { backoff } from '../../backoff.js';
import { pause } from '../../bell.js';
import { LockError } from '../../errors.js';
import { endpointsOf, type EtcdOptions } from './options.js';
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
const authenticate = '/v3/auth/authenticate';

export class Transport {
  readonly timeout: number;
  readonly hosts: readonly string[];
  readonly #endpoints: readonly URL[];
  readonly #lib: typeof http | typeof https;
  readonly #tls: EtcdOptions['tls'];
  readonly #agent: http.Agent;
  readonly #auth: EtcdOptions['auth'];
  #token: Promise<string> | undefined;
  /** The last that was opened. */
  #stream: http.ClientRequest | undefined;
  #at = 0;

  constructor({ endpoints, auth, tls, timeout = 5000 }: EtcdOptions) {
    this.timeout = timeout;
    this.#endpoints = endpointsOf(endpoints);
    this.hosts = this.#endpoints.map(({ host }) => host);
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
    const pauses = backoff({ initial: 20, max: 500, jitter: 1 });
    let cause: unknown;
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      const left = deadline - performance.now();
      if (left <= 0) throw this.#unavailable(cause);
      const at = this.#at;
      try {
        return await this.#once(path, question, Math.min(left, this.#share(timeout)), signal);
      } catch (error) {
        signal?.throwIfAborted();
        const kind = error instanceof Refusal ? error.kind : 'passing';
        if (kind === 'not found' || kind === 'exists') throw error;
        if (kind === 'final') throw this.#unavailable(error);
        cause = error;
        this.#leave(at);
      }
      if (tries % this.#endpoints.length === 0) {
        await pause(Math.min(pauses.next().value, left), signal);
      }
    }
  }

  /** A question that is answered by one line after the other. It does not keep the program alive. */
  async *lines(path: string, question: object, signal: AbortSignal): AsyncGenerator {
    const at = this.#at;
    let rest = '';
    try {
      const response = await this.#send(path, question, signal, true);
      for await (const part of response.setEncoding('utf8')) {
        const lines = (rest + String(part)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line);
      }
    } finally {
      this.#token = undefined; // its age may be why: etcd calls that a want of permission
      this.#leave(at);
    }
  }

  /** Whatever is under way is cut off. */
  close(): void {
    this.#agent.destroy();
  }

  async #once(path: string, body: object, ms: number, signal?: AbortSignal): Promise<Answer> {
    const [status, said] = await limited(ms, signal, async (stop) => {
      try {
        const response = await this.#send(path, body, stop);
        return [response.statusCode ?? 0, await text(response)] as const;
      } catch (error) {
        throw stop.reason === timeUp ? timeOut(path, ms) : error;
      }
    });
    const refusal = refusalIn(path, status, said);
    if (refusal === undefined) return JSON.parse(said) as Answer;
    if (refusal.kind === 'unknown user') this.#token = undefined;
    throw refusal;
  }

  /** Resolves when the answer begins. `endless`: it goes on and on, by a connection of its own. */
  async #send(
    path: string,
    body: object,
    signal: AbortSignal,
    endless = false,
  ): Promise<IncomingMessage> {
    const headers: http.OutgoingHttpHeaders = { 'content-type': 'application/json' };
    // Without a leader a watch would be silent for ever; with this it is ended.
    if (endless) headers['grpc-metadata-hasleader'] = 'true';
    if (this.#auth !== undefined && path !== authenticate) {
      const token = this.#authenticated(this.#auth);
      await pause(maxDelay, signal, token); // others wait for it as well, each as long as he may
      signal.throwIfAborted();
      headers.authorization = await token;
    }
    const agent = endless ? false : this.#agent;
    const options = { ...this.#tls, method: 'POST', headers, signal, agent };
    const request = this.#lib.request(new URL(path, this.#endpoints[this.#at]), options);
    if (endless) this.#stream = request.on('socket', (it) => it.setKeepAlive(true, 10_000).unref());
    // Whoever reads the answer is told of what comes after its beginning.
    request.on('error', () => undefined).end(JSON.stringify(body));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  /** One for all who ask now. */
  #authenticated({ user, password }: { user: string; password: string }): Promise<string> {
    if (this.#token !== undefined) return this.#token;
    const asked = { name: user, password };
    const answer = this.#once(authenticate, asked, this.#share(this.timeout));
    const token = (this.#token = answer.then(({ token }) => String(token)));
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  /** One endpoint that swallows all must leave time for another. */
  #share(timeout: number): number {
    return timeout / Math.min(this.#endpoints.length, 3);
  }

  /**
   * For the next endpoint, unless somebody else found out before. A stream goes along: of itself it would
   * never tell that nobody is at its other end, or one who is stopped.
   */
  #leave(at: number): void {
    if (this.#at !== at || this.#endpoints.length === 1) return;
    this.#at = (at + 1) % this.#endpoints.length;
    this.#stream?.destroy();
  }

  #unavailable(cause: unknown): LockError {
    const said = cause instanceof Error ? cause.message : 'no answer';
    const message = `etcd at ${this.hosts.join(', ')} is not available: ${said}`;
    return new LockError('ERR_LOCK_STORE_UNAVAILABLE', message, { cause });
  }
}
