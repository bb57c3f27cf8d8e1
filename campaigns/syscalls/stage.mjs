// One point of one operation: a folder of its own, the process that is hurt, and another one (this) that
// looks at what is left, and goes on from there.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { LeaseProcess } from '../lease-process.mjs';
import { filesOf, isLocked, judgeError, judgeFiles } from './judge.mjs';
import { PlanFile } from './plan.mjs';
import { name, scenarios } from './scenarios.mjs';

const program = fileURLToPath(new URL('worker.mjs', import.meta.url));
const deadlineMs = 20_000;
const stoppedMs = 25;

/** The process that is hurt, and its plan. */
export class Victim {
  constructor({ root, preload, folder, under }) {
    const path = join(folder, `plan-${Math.random()}`);
    writeFileSync(path, Buffer.alloc(PlanFile.size));
    this.plan = new PlanFile(path);
    const env = {
      LD_PRELOAD: preload,
      HOLDFAST_FAULTS: path,
      HOLDFAST_FAULTS_UNDER: `${under}/`,
      UV_THREADPOOL_SIZE: '1',
    };
    this.process = new LeaseProcess(root, path, env, { program });
  }

  async call(operation, ...args) {
    await this.process.ready;
    const late = new AbortController();
    try {
      return await Promise.race([
        this.process.call(operation, ...args),
        sleep(deadlineMs, undefined, late).then(() => Promise.reject(new Error('it hangs'))),
      ]);
    } finally {
      late.abort();
    }
  }

  signal(signal) {
    process.kill(this.process.pid, signal);
  }

  get state() {
    const stat = readFileSync(`/proc/${this.process.pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2];
  }

  async end() {
    await this.process.kill();
    this.plan.close();
  }
}

export class Stage {
  faults = [];
  /** The highest token that was handed out here. */
  #highest = 0n;
  #number;

  constructor(library, under, number) {
    this.scenario = scenarios[number];
    this.#number = number;
    this.dir = mkdtempSync(join(under, 'point-'));
    const leases = join(this.dir, 'leases');
    this.world = {
      library,
      leases: new library.Leases({ dir: leases }),
      resource: join(this.dir, 'data'),
      path: (suffix) => join(leases, `${name}.${suffix}`),
    };
    this.isFile = this.scenario.which !== undefined;
    if (this.isFile) writeFileSync(this.world.resource, 'data');
    this.lockPath = this.world.resource + (this.scenario.which?.sidecar === false ? '' : '.lock');
  }

  demand(holds, what) {
    if (!holds) this.faults.push(what);
  }

  end() {
    rmSync(this.dir, { recursive: true, force: true });
  }

  async prepare(victim) {
    await this.scenario.before?.(this.world);
    await victim.call('prepare', this.#number, this.dir, this.world.told);
    this.before = filesOf(this.world.path);
  }

  /** The operation with an error, a short write or nothing in it; its answer. */
  async run(victim, point) {
    await this.prepare(victim);
    const running = victim.call('run', point);
    await this.scenario.during?.(this.world);
    const answer = { ...(await running), point };
    if (answer.hits === 0) return answer;
    this.#judge(answer);
    await this.#finish(victim, answer);
    return answer;
  }

  /** The operation while one of its calls takes long, and somebody else wants the same. */
  async race(victim, point) {
    await this.prepare(victim);
    const running = victim.call('run', point).finally(() => (over = true));
    let over = false;
    const during = this.scenario.during?.(this.world);
    const held = []; // since when and until when the other one held it
    while (!over) {
      const taken = await this.#take();
      if (taken !== null) {
        const since = now();
        await sleep(1);
        held.push([since, now()]);
        await taken.release();
      }
      await sleep(0);
    }
    await during;
    const answer = { ...(await running), point };
    if (answer.hits === 0) return answer;
    if (answer.error !== undefined) this.faults.push(...judgeError(answer.error, point, this.dir));
    const grants = ['grant', 'lock'].includes(this.scenario.effect);
    const isShared = this.scenario.which?.shared === true;
    if (grants && answer.value !== null && answer.held) {
      const at = answer.at;
      this.demand(!held.some(([from, to]) => from <= at && at <= to), 'two holders');
      this.demand((await this.#take()) === null || isShared, 'another is granted it as well');
    }
    await this.#finish(victim, answer);
    return answer;
  }

  /** SIGKILL, or SIGSTOP and what comes `then`. True: the call was made. */
  async stop(victim, point, checkBusy) {
    await this.prepare(victim);
    const running = victim.call('run', point);
    let answer;
    const ended = running.then((result) => (answer = { ...result, point })).catch(() => undefined);
    const during = this.scenario.during?.(this.world);
    let taken = null;
    if (point.signal === 'SIGSTOP') {
      while (answer === undefined && victim.state !== 'T') await sleep(1);
      if (answer !== undefined) {
        await during;
        return false; // it was not hit
      }
      // Who holds it may need the guard that the victim is stopped in, to give it back.
      await Promise.race([during, sleep(stoppedMs)]);
      // Not while a release needs the guard, too: it would be told the same.
      const idle = this.scenario.during === undefined;
      if (checkBusy && idle && isLocked(this.world.path('guard'))) await this.#expectBusy();
      taken = await this.#takeFrom(stoppedMs);
      this.demand(
        taken === null || !['renew', 'detach', 'look'].includes(this.scenario.effect),
        'another is granted what is held',
      );
      victim.signal(point.then);
      await during;
    }
    if ((point.then ?? point.signal) === 'SIGKILL') {
      await ended;
      await during;
      if (answer !== undefined) return false;
      if (taken === null && !this.isFile) {
        this.faults.push(...judgeFiles(this.scenario, this.before, filesOf(this.world.path)));
      }
      await taken?.release();
      await this.#goOn(undefined);
      return true;
    }
    await Promise.race([ended, sleep(stoppedMs)]);
    const grants = ['grant', 'lock'].includes(this.scenario.effect);
    const isShared = this.scenario.which?.shared === true;
    if (taken !== null && grants && !isShared) {
      this.demand(answer === undefined || answer.value === null, 'two holders');
    }
    const alone = taken === null;
    await taken?.release();
    await ended;
    if (answer === undefined) {
      this.faults.push('it does not go on');
      return true;
    }
    if (alone) this.#judge(answer);
    else if (answer.error !== undefined) {
      const { name: type, code } = answer.error;
      this.demand(type === 'LockError' && code === 'ERR_LOCK_LOST', `then ${answer.error.stack}`);
    }
    await this.#finish(victim, answer);
    return true;
  }

  #judge(answer) {
    const { error, point } = answer;
    if (error !== undefined) this.faults.push(...judgeError(error, point, this.dir));
    if (this.isFile) {
      const locked = isLocked(this.lockPath);
      const wanted = error === undefined && this.scenario.effect === 'lock';
      this.demand(locked === wanted, locked ? 'it is locked' : 'it is not locked');
      return;
    }
    answer.locked = isLocked(this.world.path('lock'));
    this.faults.push(...judgeFiles(this.scenario, this.before, filesOf(this.world.path), answer));
    const keeps = ['renew', 'detach'].includes(this.scenario.effect);
    if (keeps) this.demand(answer.held, 'the holder thinks that it is lost');
  }

  /** Who believes to hold it keeps others out; then all is given back, and the next one gets it. */
  async #finish(victim, answer) {
    if (answer.held && this.scenario.which?.shared !== true) {
      const other = await this.#take();
      this.demand(other === null, 'another is granted what is held');
      await other?.release();
    }
    const { left } = await victim.call('finish');
    this.demand(left.length === 0, `left open: ${left.join(', ')}`);
    await this.#goOn(answer);
  }

  async #goOn(answer) {
    const { world, scenario } = this;
    await world.lease?.release();
    world.lock?.release();
    if (this.isFile) {
      const next = await this.#take();
      this.demand(next !== null, 'the next one is not granted it');
      next?.release();
      return;
    }
    if (scenario.effect === 'freeze' || scenario.effect === 'unfreeze') {
      await world.leases.unfreeze(name);
    }
    // A detached one outlives its process; and so it may if it could not be released.
    const failed = answer === undefined || answer.error !== undefined;
    if (failed && scenario.kind === 'detached') await world.leases.break(name, { force: true });
    const next = await this.#take();
    this.demand(next !== null, 'the next one is not granted it');
    if (next !== null) this.demand((await next.release()) === 'released', 'not released');
    await world.leases.sweep();
    const rest = readdirSync(join(this.dir, 'leases')).filter((f) => !/\.(guard|queue)$/.test(f));
    this.demand(rest.length === 0, `left over: ${rest.join(', ')}`);
  }

  /** Another process asks for it; null: it is held. */
  async #take() {
    if (this.isFile) {
      return this.world.library.tryLock(this.world.resource, {
        ...this.scenario.which,
        shared: false,
      });
    }
    return this.#noted(await this.world.leases.tryAcquire(name));
  }

  /** The same while somebody is stopped, perhaps in the guard. */
  async #takeFrom(timeout) {
    if (this.isFile) return this.#take();
    try {
      return this.#noted(await this.world.leases.acquire(name, { timeout }));
    } catch (error) {
      if (!/^ERR_LOCK_(TIMEOUT|BUSY|FROZEN)$/.test(error.code)) throw error;
      return null;
    }
  }

  #noted(lease) {
    if (lease === null) return null;
    this.demand(lease.token > this.#highest, `token ${lease.token} after ${this.#highest}`);
    this.#highest = lease.token;
    return lease;
  }

  async #expectBusy() {
    const told = await this.world.leases.tryAcquire(name).catch(({ code }) => code);
    this.demand(told === 'ERR_LOCK_BUSY', `a busy guard is answered with ${told}`);
    this.busy = true;
  }
}

const now = () => Number(process.hrtime.bigint() / 1000n);

export function makeUnder(folder) {
  const under = join(folder, 'under');
  mkdirSync(under);
  return under;
}
