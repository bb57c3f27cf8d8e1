/**
 * Processes to measure in: Node children for the contenders, compiled C for the floor.
 *
 * Each is started once and asked round after round. To the measurements both look alike:
 * `ask(request)` sends one request and resolves to the one answer; `stop()` lets the process go.
 * A process that does not answer or does not leave in time is killed, and whatever is left when
 * this one exits, for whatever reason, is killed then.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Far more than an answer takes, unless the request says that it may be a long one. */
const answerMs = 20_000;
const leaveMs = 1_000;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts `children/NAME.mjs` with a contender's module; resolves when it is ready. */
export async function startContender(name, contender, ...args) {
  const child = fork(
    fileURLToPath(new URL(`../children/${name}.mjs`, import.meta.url)),
    [contender.module.href, ...args],
    { execArgv: ['--expose-gc'], env: { ...process.env, PREBUILDS_ONLY: '1' } },
  );
  const asker = track(child, `${contender.name} (${name})`, () => {
    if (child.connected) child.disconnect();
  });
  child.on('message', ({ answer, error }) => {
    if (error === undefined) asker.settle(answer);
    else asker.fail(new Error(error));
  });
  await asker.next();
  return {
    pid: child.pid,
    ask: (request, limitMs) => asker.next(() => child.send(request), limitMs),
    stop: asker.stop,
  };
}

/** Starts the floor in one of its modes. A request is a list of numbers, and so is the answer. */
export function startFloor(program, ...args) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const asker = track(child, `floor ${args[0]}`, () => child.stdin.end());
  child.stdin.on('error', () => {}); // it ended; that is reported once, below
  createInterface(child.stdout).on('line', (line) => {
    asker.settle(line.split(' ').filter(Boolean).map(Number));
  });
  return {
    pid: child.pid,
    ask: (numbers, limitMs) =>
      asker.next(() => child.stdin.write(`${numbers.join(' ')}\n`), limitMs),
    stop: asker.stop,
  };
}

/**
 * One request at a time: `next` sends it, `settle` or `fail` ends it. So does its limit, and then the
 * process is killed: nobody knows what it would do next.
 */
function track(child, label, leave) {
  running.add(child);
  let pending;
  let ended;
  const fail = (error) => pending?.reject(error);
  const end = (how) => {
    running.delete(child);
    ended ??= new Error(`${label} ended: ${how}`);
    fail(ended);
  };
  child.on('error', (error) => end(error.message));
  child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));

  async function next(send, limitMs = answerMs) {
    if (ended !== undefined) throw ended;
    let timer;
    const answer = new Promise((resolve, reject) => {
      pending = { resolve, reject };
      timer = setTimeout(() => {
        reject(new Error(`not within ${limitMs / 1000} s`));
        child.kill('SIGKILL');
      }, limitMs);
    });
    try {
      send?.();
      return await answer;
    } finally {
      pending = undefined;
      clearTimeout(timer);
    }
  }

  async function stop() {
    if (ended !== undefined) return;
    const exit = once(child, 'exit');
    leave();
    const timer = setTimeout(() => child.kill('SIGKILL'), leaveMs);
    await exit;
    clearTimeout(timer);
  }

  return { next, stop, fail, settle: (answer) => pending?.resolve(answer) };
}
