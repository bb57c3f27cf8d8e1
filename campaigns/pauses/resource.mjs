// The resource that checks tokens, and the oracle: what it saw is all that counts.
//
// It refuses a write whose token is lower than one that it has accepted. Beside that it counts what
// a resource without the check would have taken: a write of somebody while somebody else, who was
// granted the lease later, was in (an overlap).
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

export class Resource {
  highest = 0n;
  /** worker -> the token with which it is in */
  #inside = new Map();
  #last = 0n;
  #server;
  total = { grants: 0, writes: 0, refused: 0, overlaps: 0, failed: 0, faults: [] };
  /** When the last grant was told of, by performance.now(). */
  grantedAt = 0;

  /** @param fenced false: it takes every token, the fault that is to be noticed */
  constructor(path, fenced) {
    this.#server = createServer((connection) => {
      connection.on('error', () => undefined);
      const lines = createInterface({ input: connection });
      lines.on('error', () => undefined); // it speaks for its input
      lines.on('line', (line) => {
        connection.write(`${JSON.stringify(this.#answer(JSON.parse(line), fenced))}\n`);
      });
    }).listen(path);
  }

  #answer({ what, worker, token: text, code }, fenced) {
    const { total } = this;
    const token = BigInt(text ?? 0);
    if (what === 'enter') {
      total.grants++;
      this.grantedAt = performance.now();
      this.#inside.set(worker, token);
      if (this.#last === token) total.faults.push(`token ${token} was granted twice`);
      if (token > this.#last) this.#last = token;
    } else if (what === 'leave') {
      this.#inside.delete(worker);
    } else if (what === 'failed') {
      this.#inside.delete(worker);
      total.failed++;
      if (code !== 'ERR_LOCK_LOST') total.faults.push(`worker ${worker}: ${code}`);
    } else {
      return this.#write(worker, token, fenced);
    }
    return {};
  }

  #write(worker, token, fenced) {
    const { total } = this;
    const others = [...this.#inside].filter(
      ([other, theirs]) => other !== worker && theirs > token,
    );
    if (others.length > 0) total.overlaps++;
    if (fenced && token < this.highest) {
      total.refused++;
      return { accepted: false };
    }
    total.writes++;
    if (token < this.highest) total.faults.push(`${token} was written after ${this.highest}`);
    if (token > this.highest) this.highest = token;
    return { accepted: true };
  }

  /** Who is in with the highest token. */
  holder() {
    const all = [...this.#inside].filter(([, token]) => token === this.#last);
    return all[0]?.[0];
  }

  close() {
    this.#server.close();
  }
}
