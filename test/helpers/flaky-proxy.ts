/**
 * Between a client and one server of HTTP: hands every question on, and treats the answer as it is told:
 * delays it, drops it (the connection stays open), or cuts the connection in its midst; or it asks the
 * server once more when the answer is on its way, or before, and hands on the second answer.
 */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Test } from 'tap';

export type Fate = 'answer' | 'delay' | 'drop' | 'cut' | 'twice' | 'second';

export class FlakyProxy {
  /** What becomes of the answer to a question; by default it arrives. */
  fate: (path: string, body: string) => Fate = () => 'answer';
  /** What a question waits for before it is handed on. */
  before: (path: string, body: string) => Promise<void> = () => Promise.resolve();
  readonly fates: Record<Fate, number> = {
    answer: 0,
    delay: 0,
    drop: 0,
    cut: 0,
    twice: 0,
    second: 0,
  };
  readonly #target: string;
  readonly #server = createServer((question, answer) => void this.#serve(question, answer));

  private constructor(target: string) {
    this.#target = target;
  }

  static async start(t: Test, target: string): Promise<FlakyProxy> {
    const proxy = new FlakyProxy(target);
    t.teardown(() => {
      proxy.#server.closeAllConnections();
      proxy.#server.close();
    });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#server.address())}`;
  }

  /** Ends every connection, those of watches as well. */
  cutAll(): void {
    this.#server.closeAllConnections();
  }

  async #serve(question: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = question.url ?? '/';
    const body = await textOf(question);
    if (path === '/v3/watch') {
      this.#pass(question, path, body, answer);
      return;
    }
    const fate = this.fate(path, body);
    this.fates[fate]++;
    await this.before(path, body);
    let said = await this.#ask(question, path, body).catch(() => undefined);
    if (fate === 'second') said = await this.#ask(question, path, body).catch(() => undefined);
    if (fate === 'twice') void this.#ask(question, path, body).catch(() => undefined);
    if (fate === 'drop') return;
    if (said === undefined) {
      answer.destroy();
      return;
    }
    const { status, text } = said;
    if (fate === 'delay') await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    answer.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
    if (fate === 'cut') {
      answer.write(text.slice(0, text.length / 2), () => answer.destroy());
      return;
    }
    answer.end(text);
  }

  async #ask(
    { headers }: IncomingMessage,
    path: string,
    body: string,
  ): Promise<{ status: number; text: string }> {
    const { authorization } = headers;
    const sent = request(this.#target + path, {
      method: 'POST',
      headers: authorization === undefined ? {} : { authorization },
    });
    sent.end(body);
    const [message] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: message.statusCode ?? 0, text: await textOf(message) };
  }

  #pass({ headers }: IncomingMessage, path: string, body: string, answer: ServerResponse): void {
    const sent = request(this.#target + path, {
      method: 'POST',
      headers: { ...headers, host: '' },
    });
    sent.on('error', () => answer.destroy());
    sent.on('response', (message) => message.pipe(answer));
    answer.on('close', () => sent.destroy());
    sent.end(body);
  }
}

function portOf(address: unknown): number {
  return (address as { port: number }).port;
}

async function textOf(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8');
  let text = '';
  for await (const part of message) text += part as string;
  return text;
}
