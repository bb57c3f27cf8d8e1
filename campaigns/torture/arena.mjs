// Where the torture takes place: the locks, the book, and those who go there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { generator, testedRoot } from '../campaign.mjs';
import { files, names, newBook, readBook } from './book.mjs';

const member = fileURLToPath(new URL('member.mjs', import.meta.url));
const children = 24;
const pauseUs = 3000; // from kill to kill

/** What the crowd writes as records, and as text into sidecars: what the library would. */
export async function templates() {
  const lib = (file) => import(pathToFileURL(join(testedRoot, 'lib', file)));
  const [{ encodeRecord }, { endAfter, readerOf }, { readClocks }, { describeProcess }] =
    await Promise.all(['record.js', 'store/grant.js', 'now.js', 'owner.js'].map(lib));
  const now = readClocks(undefined);
  const { pid, startedAt = null, host, command } = describeProcess();
  const lines = [];
  for (let name = files; name < names; name++) {
    for (const [ttl, kind] of [
      [null, 'attached'],
      [3_600_000, 'attached'],
      [60, 'detached'],
    ]) {
      const record = {
        token: 0n,
        id: '0'.repeat(32),
        ...endAfter(ttl, kind === 'detached', now),
        name: String(name),
        kind,
        ttl,
        ...readerOf(now),
        acquiredAt: now.wallMs,
        ...{ owner: 'crowd', pid, startedAt, host, command },
      };
      lines.push(encodeRecord(record).toString('latin1'));
    }
  }
  const { addon } = await lib('native.js');
  const bootZeroMs = Math.round(addon.bootClock()[1] - readClocks(undefined).boottimeMs);
  const holder = JSON.stringify({ owner: 'crowd', pid, startedAt, host, command });
  return {
    text: `${String(now.wallMs).padStart(16, '0')} ${holder}\n${lines.join('')}`,
    bootZeroMs,
  };
}

/** A folder with locks, a book, and those who go there. */
export class Arena {
  #random;

  constructor(dir, { text, bootZeroMs }, seed) {
    this.#random = generator(seed);
    this.folder = mkdtempSync(join(dir, 'holdfast-torture-'));
    this.book = join(this.folder, 'book');
    this.templates = join(this.folder, 'templates');
    this.bootZeroMs = bootZeroMs;
    newBook(this.book);
    writeFileSync(this.templates, text);
    for (const part of ['files', 'leases']) mkdirSync(join(this.folder, part));
  }

  startCrowd(program, stderr = 'inherit') {
    const { book, folder, templates, bootZeroMs } = this;
    const args = [book, folder, templates, children, pauseUs, bootZeroMs, this.#seed()].map(String);
    return spawn(program, args, { stdio: ['ignore', 'ignore', stderr] });
  }

  startMember(witness, root = testedRoot, stderr = 'inherit') {
    const args = [member, this.folder, witness, this.book, String(this.#seed())];
    return spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', stderr, 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '', HOLDFAST_PACKAGE: root },
    });
  }

  #seed() {
    return Math.floor(this.#random() * 2 ** 31);
  }

  remove() {
    rmSync(this.folder, { recursive: true });
  }
}

export async function kill(child) {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`a process has ended by itself: ${child.exitCode ?? child.signalCode}`);
  }
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** The children of the crowd end with it, but not at once. */
export async function killCrowd(crowd, arena) {
  await kill(crowd);
  let before;
  do {
    before = readBook(arena.book).acquisitions;
    await sleep(200);
  } while (readBook(arena.book).acquisitions !== before);
}
