/**
 * Questions to etcd's JSON gateway, and what becomes of those that are not answered.
 *
 * A question goes to one endpoint; when that fails, to the next, again and again until it is answered
 * or its time is over. After a round of all endpoints there is a pause. So a question may arrive twice,
 * and every question asked here bears it. It ends at once when etcd says what all its nodes would say, or
 * when each endpoint has said, last, that it cannot answer such questions at all.
 */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';

import { limited, timeUp } from '../../abort.js';
import { backoff } from '../../backoff.js';
import { pause, unlessAborted } from '../../bell.js';
import { LockError } from '../../errors.js';
import { linesOf } from '../../lines.js';
import { endpointsOf, type EtcdOptions } from './options.js';
import { kindOf, refusalIn, timeOut } from './refusal.js';

/** What a question may be given. */
export interface Asking {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for it and all its repetitions; default: that of the store. */
  readonly timeout?: number;
}

export type Answer = Readonly<Record<string, unknown>>;

const authenticate = '/v3/auth/authenticate';
const watch = '/v3/watch';

export class Transport {
  readonly timeout: number;
  readonly hosts: readonly string[];
  readonly #endpoints: readonly URL[];
  readonly #lib: typeof http | typeof https;
  readonly #agent: http.Agent;
  #token: Promise<string> | undefined;
  /** The last that was opened. */
  #stream: http.ClientRequest | undefined;
  #at = 0;

  constructor(readonly options: EtcdOptions) {
    this.timeout = options.timeout ?? 5000;
    this.#endpoints = endpointsOf(options.endpoints);
    this.hosts = this.#endpoints.map(({ host }) => host);
    this.#lib = this.#endpoints[0]?.protocol === 'https:' ? https : http;
    // More at a time wait for one of these connections.
    this.#agent = new this.#lib.Agent({ keepAlive: true, maxSockets: 64, ...options.tls });
  }

  /**
   * @throws {Refusal} there is no such thing, or there is one already
   * @throws {LockError} `ERR_LOCK_STORE_UNAVAILABLE`, with what happened last as its cause; its message
   * tells it of each endpoint
   */
  async ask(path: string, question: object, asking: Asking = {}): Promise<Answer> {
    const { signal, timeout = this.timeout } = asking;
    const deadline = performance.now() + timeout;
    const share = this.#share(timeout);
    const pauses = backoff({ initial: 20, max: 500, jitter: 1 });
    // What went wrong last at each endpoint; the last of all comes last.
    const failures = new Map<number, NodeJS.ErrnoException>();
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      const left = deadline - performance.now();
      if (left <= 0) throw this.#unavailable(failures);
      const at = this.#at;
      try {
        return await this.#once(path, question, Math.min(left, share), signal);
      } catch (error) {
        signal?.throwIfAborted();
        const kind = kindOf(error);
        if (kind === 'not found' || kind === 'exists') throw error;
        // No answer in the little time that was left says nothing of an endpoint.
        const { code } = error as NodeJS.ErrnoException;
        if (left >= share / 2 || code !== 'ETIMEDOUT' || !failures.has(at)) {
          failures.delete(at);
          failures.set(at, error as Error);
        }
        const able = this.#endpoints.some((_, each) => kindOf(failures.get(each)) !== 'here');
        if (kind === 'final' || !able) throw this.#unavailable(failures);
        this.#leave(at);
      }
      if (tries % this.#endpoints.length === 0) {
        await pause(Math.min(pauses.next().value, left), signal);
      }
    }
  }

  /** A question that is answered by one line after the other. It does not keep the program alive. */
  async *watch(question: object, signal: AbortSignal): AsyncGenerator {
    const at = this.#at;
    const token = this.#authenticated();
    try {
      const response = await this.#send(watch, question, signal, token);
      for await (const line of linesOf(response.setEncoding('utf8'))) yield JSON.parse(line);
    } finally {
      this.#forget(token); // its age may be why: etcd calls that a want of permission
      this.#leave(at);
    }
  }

  /** Whatever is under way is cut off. */
  close(): void {
    this.#agent.destroy();
  }

  async #once(path: string, body: object, ms: number, signal?: AbortSignal): Promise<Answer> {
    const token = path === authenticate ? undefined : this.#authenticated();
    const [status, said] = await limited(ms, signal, async (stop) => {
      try {
        const response = await this.#send(path, body, stop, token);
        return [response.statusCode ?? 0, await text(response)] as const;
      } catch (error) {
        throw stop?.reason === timeUp ? timeOut(path, ms) : error;
      }
    });
    const refusal = refusalIn(path, status, said);
    if (refusal === undefined) return JSON.parse(said) as Answer;
    if (refusal.kind === 'unknown user') this.#forget(token);
    throw refusal;
  }

  /** Resolves when the answer begins. That to a watch goes on and on, by a connection of its own. */
  async #send(
    path: string,
    body: object,
    signal: AbortSignal | undefined,
    token: Promise<string> | undefined,
  ): Promise<IncomingMessage> {
    const headers: http.OutgoingHttpHeaders = { 'content-type': 'application/json' };
    const endless = path === watch;
    // Without a leader a watch would be silent for ever; with this it is ended.
    if (endless) headers['grpc-metadata-hasleader'] = 'true';
    // Others wait for it as well, each as long as he may.
    if (token !== undefined) headers.authorization = await unlessAborted(token, signal);
    const agent = endless ? false : this.#agent;
    const options = { ...this.options.tls, method: 'POST', headers, signal, agent };
    const request = this.#lib.request(new URL(path, this.#endpoints[this.#at]), options);
    if (endless) this.#stream = request.on('socket', (it) => it.setKeepAlive(true, 10_000).unref());
    // Whoever reads the answer is told of what comes after its beginning.
    request.on('error', () => undefined).end(JSON.stringify(body));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  /** A token, one for all who ask now; undefined where nobody has to say who he is. */
  #authenticated(): Promise<string> | undefined {
    const { auth } = this.options;
    if (this.#token !== undefined || auth === undefined) return this.#token;
    const asked = { name: auth.user, password: auth.password };
    const answer = this.#once(authenticate, asked, this.#share(this.timeout));
    const token = answer.then(({ token }) => String(token));
    token.catch(() => {
      this.#forget(token);
    });
    return (this.#token = token);
  }

  /** It is of no use any more. Somebody else may have found out before, and have got another. */
  #forget(token: Promise<string> | undefined): void {
    if (this.#token === token) this.#token = undefined;
  }

  /** One endpoint that swallows all must leave time for another. */
  #share(timeout: number): number {
    return timeout / Math.min(this.#endpoints.length, 3);
  }

  /**
   * For the next endpoint, unless somebody else found out before. A stream goes along: of itself it would
   * never tell that nobody is at its other end, or one who is stopped. Nor does anybody wait any longer
   * for a token from there.
   */
  #leave(at: number): void {
    if (this.#at !== at || this.#endpoints.length === 1) return;
    this.#at = (at + 1) % this.#endpoints.length;
    this.#stream?.destroy();
    this.#token = undefined;
  }

  #unavailable(failures: ReadonlyMap<number, NodeJS.ErrnoException>): LockError {
    // What several addresses of one name have done has no message of its own.
    const said = [...failures].map(([at, it]) => `${this.hosts[at]}: ${it.message || it.code}`);
    const message = `etcd is not available: ${said.join('; ')}`;
    const cause = [...failures.values()].at(-1);
    return new LockError('ERR_LOCK_STORE_UNAVAILABLE', message, { cause });
  }
}
