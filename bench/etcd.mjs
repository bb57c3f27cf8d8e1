/**
 * The benchmark of leases in etcd: `npm run bench:etcd [-- --nodes 3]`. It starts its own etcd on
 * loopback, in a temporary folder, and ends it.
 *
 * Each figure is of one process. What a disk takes to sync is in all of them; on loopback the network
 * is in none.
 *
 * With three nodes it also measures for how long nobody is granted anything after the leader was killed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { etcd } from '../lib/etcd.js';
import { Leases } from '../lib/index.js';
import { quantile } from './lib/stats.mjs';

const { values } = parseArgs({ options: { nodes: { type: 'string', default: '1' } } });
const nodes = Number(values.nodes);
const firstPort = 23_790;
const ttl = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-etcd-'));
const servers = [];
try {
  await Promise.all(Array.from({ length: nodes }, (_, node) => start(node)));
  const endpoints = servers.map((_, node) => url(node, 0));
  const open = () => new Leases({ store: etcd({ endpoints, prefix: 'bench' }) });
  console.log(`etcd, ${nodes} of them on loopback`);
  await pairs(open());
  await handOver(open(), open());
  await crowd(open());
  if (nodes > 2) await failOver(open());
} finally {
  await Promise.all(servers.map(end));
  rmSync(folder, { recursive: true, force: true });
}

async function pairs(leases) {
  const took = [];
  const end = performance.now() + 5000;
  while (performance.now() < end) {
    const began = performance.now();
    await (await leases.acquire('pair', { ttl })).release();
    took.push(performance.now() - began);
  }
  show('acquire and release', took, `${(took.length / 5).toFixed(0)} pairs/s`);
}

async function handOver(...both) {
  const took = [];
  let held = await both[0].acquire('hand', { ttl });
  for (let round = 1; round <= 300; round++) {
    const waits = both[round % 2].acquire('hand', { ttl });
    await new Promise((resolve) => setTimeout(resolve, 20)); // it is in line by then
    const began = performance.now();
    await held.release();
    held = await waits;
    took.push(performance.now() - began);
  }
  await held.release();
  show('hand-over', took);
}

async function crowd(leases) {
  const held = [];
  const began = performance.now();
  while (held.length < 1000) {
    const some = Array.from({ length: 50 }, (_, i) => `many/${held.length + i}`);
    held.push(...(await Promise.all(some.map((name) => leases.acquire(name, { ttl })))));
  }
  console.log(`1000 leases taken, 50 at a time: ${(performance.now() - began).toFixed(0)} ms`);
  const first = await leases.acquire('hot', { ttl });
  const took = [];
  let last;
  const waits = Array.from({ length: 200 }, async () => {
    const lease = await leases.acquire('hot', { ttl });
    took.push(performance.now() - last);
    last = performance.now();
    await lease.release();
  });
  await new Promise((resolve) => setTimeout(resolve, 5000));
  last = performance.now();
  await first.release();
  await Promise.all(waits);
  show('200 in line beside them, each', took);
  await Promise.all(held.map((lease) => lease.release()));
}

/** For so long after its leader was killed a cluster grants nothing. */
async function failOver(leases) {
  const took = [];
  while (took.length < 50) {
    await (await leases.acquire('pair', { ttl, timeout: 60_000 })).release();
    const leader = await whoLeads();
    await end(servers[leader]);
    const began = performance.now();
    await (await granted(leases)).release();
    took.push(performance.now() - began);
    await start(leader);
  }
  show('the next grant after the leader was killed', took);
}

async function granted(leases) {
  for (;;) {
    try {
      return await leases.acquire('pair', { ttl });
    } catch (error) {
      if (error.code !== 'ERR_LOCK_STORE_UNAVAILABLE') throw error;
    }
  }
}

async function whoLeads() {
  for (;;) {
    for (const node of servers.keys()) {
      const asked = { method: 'POST', body: '{}' };
      const answer = await fetch(`${url(node, 0)}/v3/maintenance/status`, asked);
      const { header, leader } = await answer.json();
      if (leader === header.member_id) return node;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function show(what, took, more = '') {
  took.sort((a, b) => a - b);
  const [median, p99] = [quantile(took, 0.5), quantile(took, 0.99)].map((ms) => ms.toFixed(1));
  console.log(`${what}: median ${median} ms, p99 ${p99} ms ${more}`);
}

function url(node, offset) {
  return `http://127.0.0.1:${firstPort + 2 * node + offset}`;
}

async function start(node) {
  const cluster = Array.from({ length: nodes }, (_, i) => `n${i}=${url(i, 1)}`).join();
  const args = [`--name=n${node}`, `--data-dir=${join(folder, `n${node}`)}`];
  args.push(`--listen-client-urls=${url(node, 0)}`, `--advertise-client-urls=${url(node, 0)}`);
  args.push(`--listen-peer-urls=${url(node, 1)}`, `--initial-advertise-peer-urls=${url(node, 1)}`);
  args.push(`--initial-cluster=${cluster}`);
  const server = spawn('etcd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  servers[node] = server;
  server.on('error', () => console.error('etcd is not installed: apt-get install etcd-server'));
  for await (const line of createInterface({ input: server.stderr })) {
    if (line.includes('ready to serve client requests')) break;
  }
  server.stderr.resume();
}

async function end(server) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}
