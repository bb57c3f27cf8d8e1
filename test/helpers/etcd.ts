/**
 * An etcd of one node or more on loopback, in a temporary folder, which ends with its test.
 *
 * Nodes reach each other through proxies in this process, which know by the first header of a
 * connection (`X-Server-From`) who calls, so that a node can be cut off from the others and still be
 * reached by clients.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';

/** Why these tests cannot run; false: they can. */
export const withoutEtcd: string | false =
  spawnSync('etcd', ['--version']).status === 0
    ? false
    : 'etcd is not installed: apt-get install etcd-server etcd-client';

const readyMs = 30_000;

interface Member {
  readonly name: string;
  readonly client: string;
  readonly peerPort: number;
  readonly proxy: Server;
  process: ChildProcess | undefined;
  id: string;
}

export interface EtcdOptions {
  nodes?: number;
  /** More arguments for each, by its number. */
  args?: (node: number) => string[];
  scheme?: 'http' | 'https';
}

export class Etcd {
  readonly members: Member[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-etcd-'));
  readonly #links = new Map<Socket, { from: string; to: Member }>();
  readonly #isolated = new Set<Member>();
  #cluster = '';

  private constructor(readonly options: EtcdOptions) {}

  static async start(t: Test, options: EtcdOptions = {}): Promise<Etcd> {
    const etcd = new Etcd(options);
    t.teardown(() => etcd.#end());
    const { nodes = 1, scheme = 'http' } = options;
    for (let node = 0; node < nodes; node++) {
      const [clientPort, peerPort] = [await freePort(), await freePort()];
      const proxy = createServer((socket) => {
        etcd.#link(socket, member);
      });
      const client = `${scheme}://127.0.0.1:${clientPort}`;
      const member: Member = {
        name: `n${node}`,
        client,
        peerPort,
        proxy,
        process: undefined,
        id: '',
      };
      etcd.members.push(member);
      proxy.listen(0, '127.0.0.1');
      await once(proxy, 'listening');
    }
    etcd.#cluster = etcd.members.map((m) => `${m.name}=${peerUrl(m)}`).join();
    await Promise.all(etcd.members.map((_, node) => etcd.run(node)));
    for (const member of nodes > 1 ? etcd.members : []) {
      const { header } = await etcd.#status(member);
      member.id = BigInt(header.member_id).toString(16);
    }
    return etcd;
  }

  get endpoints(): string[] {
    return this.members.map(({ client }) => client);
  }

  /** Starts a node; resolves when it serves clients. */
  async run(node: number): Promise<void> {
    const member = this.#member(node);
    const { name, client, peerPort } = member;
    const args = Object.entries({
      name,
      'data-dir': join(this.#folder, name),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': `http://127.0.0.1:${peerPort}`,
      'initial-advertise-peer-urls': peerUrl(member),
      'initial-cluster': this.#cluster,
    }).map(([key, value]) => `--${key}=${value}`);
    const more = this.options.args?.(node) ?? [];
    const child = spawn('etcd', [...args, ...more], { stdio: ['ignore', 'ignore', 'pipe'] });
    member.process = child;
    const said: string[] = [];
    const lines = createInterface({ input: child.stderr });
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => {
        reject(new Error(`etcd is not ready:\n${said.slice(-20).join('\n')}`));
      };
      const timer = setTimeout(fail, readyMs);
      child.on('exit', fail);
      lines.on('line', (line) => {
        said.push(line);
        if (said.length > 50) said.shift();
        if (!line.includes('ready to serve client requests')) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Ends a node; resolves when it is gone. */
  async kill(node: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { process: child } = this.#member(node);
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Resolves when it has had its effect: a process that is busy elsewhere stops a little later. */
  async signal(node: number, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const { process: child } = this.#member(node);
    child?.kill(signal);
    const tasks = `/proc/${child?.pid}/task`;
    const stopped = (task: string): boolean =>
      /\) [tT] /.test(readFileSync(join(tasks, task, 'stat'), 'utf8'));
    while (signal === 'SIGSTOP' && !readdirSync(tasks).every(stopped)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async restart(): Promise<void> {
    await Promise.all(this.members.map((_, node) => this.kill(node, 'SIGTERM')));
    await Promise.all(this.members.map((_, node) => this.run(node)));
  }

  /** Which node leads. */
  async leader(): Promise<number> {
    for (const member of this.members) {
      const status = await this.#status(member).catch(() => undefined);
      const id = BigInt(status?.leader ?? 0).toString(16);
      const node = this.members.findIndex((each) => each.id === id);
      if (node !== -1) return node;
    }
    throw new Error('nobody leads');
  }

  /** Cuts a node off from the others. */
  isolate(node: number): void {
    const member = this.#member(node);
    this.#isolated.add(member);
    for (const [socket, { from, to }] of this.#links) {
      if (to === member || from === member.id) socket.destroy();
    }
  }

  /** Takes it in again; resolves when it answers what takes a majority, which is not at once. */
  async rejoin(node: number): Promise<void> {
    const member = this.#member(node);
    this.#isolated.delete(member);
    const deadline = performance.now() + readyMs;
    const key = Buffer.from('any').toString('base64');
    for (;;) {
      try {
        await post(`${member.client}/v3/kv/range`, { key });
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** How many keys begin so. */
  async count(prefix: string): Promise<number> {
    const key = Buffer.from(prefix).toString('base64');
    const range_end = Buffer.from(`${prefix.slice(0, -1)}0`).toString('base64');
    for (const { client } of this.members) {
      const answer = await post(`${client}/v3/kv/range`, {
        key,
        range_end,
        count_only: true,
      }).catch(() => undefined);
      if (answer !== undefined) return Number((answer as { count?: string }).count ?? 0);
    }
    throw new Error('no node answers');
  }

  /** The leases of etcd that there are, by their ids. */
  async leases(): Promise<string[]> {
    const [{ client } = this.#member(0)] = this.members;
    const { leases = [] } = (await post(`${client}/v3/lease/leases`, {})) as {
      leases?: { ID: string }[];
    };
    return leases.map(({ ID }) => ID);
  }

  async untilCount(prefix: string, count: number): Promise<void> {
    while ((await this.count(prefix)) < count) await new Promise((r) => setTimeout(r, 5));
  }

  #member(node: number): Member {
    const member = this.members[node];
    if (member === undefined) throw new Error(`there is no node ${node}`);
    return member;
  }

  async #status({ client }: Member): Promise<{ leader?: string; header: { member_id: string } }> {
    return (await post(`${client}/v3/maintenance/status`, {})) as {
      leader?: string;
      header: { member_id: string };
    };
  }

  #link(socket: Socket, to: Member): void {
    let head = '';
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const [, from] = /^X-Server-From: ([0-9a-f]+)/im.exec(head) ?? [];
      if (from === undefined && !head.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      const caller = this.members.find(({ id }) => id === from);
      if (this.#isolated.has(to) || (caller !== undefined && this.#isolated.has(caller))) {
        socket.destroy();
        return;
      }
      const inner = connect(to.peerPort, '127.0.0.1');
      this.#links.set(socket, { from: from ?? '', to });
      inner.write(Buffer.from(head, 'latin1'));
      socket.pipe(inner).pipe(socket);
      inner.on('error', () => socket.destroy());
      inner.on('close', () => socket.destroy());
      socket.on('close', () => {
        this.#links.delete(socket);
        inner.destroy();
      });
    };
    socket.on('error', () => undefined);
    socket.on('data', onData);
  }

  async #end(): Promise<void> {
    await Promise.all(this.members.map((_, node) => this.kill(node)));
    for (const { proxy } of this.members) proxy.close();
    for (const socket of this.#links.keys()) socket.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function peerUrl({ proxy }: Member): string {
  return `http://127.0.0.1:${(proxy.address() as { port: number }).port}`;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function post(url: string, body: object): Promise<unknown> {
  const signal = AbortSignal.timeout(5000);
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body), signal });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}
