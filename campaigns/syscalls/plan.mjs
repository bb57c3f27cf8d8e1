// What can be done to a call, and how a process is told of it: the layout of `struct Plan` in faults.c.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';

/**
 * In the order of faults.c: the call as strace(1) names it, what an error may name in its place, and
 * the errors of its manual page that the state of a machine can bring about.
 */
export const calls = [
  {
    name: 'openat',
    syscalls: ['open'],
    errors: 'EACCES EDQUOT EINTR EIO EMFILE ENFILE ENOMEM ENOSPC EPERM EROFS',
  },
  { name: 'newfstatat', syscalls: ['fstat', 'lstat', 'stat'], errors: 'EACCES EIO ENOMEM' },
  { name: 'flock', syscalls: ['flock'], errors: 'EINTR EIO ENOLCK EOPNOTSUPP' },
  { name: 'pread64', syscalls: ['read'], errors: 'EINTR EIO' },
  { name: 'pwrite64', syscalls: ['write'], errors: 'EDQUOT EFBIG EINTR EIO ENOSPC EPERM' },
  { name: 'fsync', syscalls: ['fsync'], errors: 'EDQUOT EINTR EIO ENOSPC EROFS' },
  { name: 'rename', syscalls: ['rename'], errors: 'EACCES EBUSY EDQUOT EIO ENOSPC EPERM EROFS' },
  { name: 'unlink', syscalls: ['unlink'], errors: 'EACCES EBUSY EIO ENOMEM EPERM EROFS' },
  { name: 'close', syscalls: ['close'], errors: '', late: 'EDQUOT EINTR EIO ENOSPC' },
  // Node's own call, which has no name for EDQUOT.
  { name: 'mkdir', syscalls: ['mkdir'], errors: 'EACCES EMLINK ENOMEM ENOSPC EPERM EROFS' },
  { name: 'fchmod', syscalls: ['fchmod'], errors: 'EIO EPERM EROFS' },
  { name: 'readlink', syscalls: ['readlink'], errors: 'EACCES EIO ENOMEM' },
  { name: 'statfs', syscalls: ['statfs'], errors: 'EACCES EIO ENOMEM' },
  { name: 'getdents64', syscalls: ['scandir'], errors: 'EACCES EMFILE ENFILE ENOMEM' },
  { name: 'inotify_add_watch', syscalls: ['watch'], errors: 'EACCES ENOMEM ENOSPC' },
  { name: 'clone', syscalls: ['pthread_create'], errors: 'EAGAIN' },
];

const actions = ['none', 'error', 'late', 'short', 'delay', 'before', 'after'];
const fields = 7;
const bytes = (fields + calls.length) * 4;

/** Calls that do their work and report an error all the same, as a filesystem with a server may. */
const lateCalls = new Set(['fsync', 'pwrite64', 'rename', 'unlink']);
const delayMs = 3;

/**
 * All points of an operation that made so many calls of each kind: for each of them every error, once
 * and from then on, a delay, SIGKILL and SIGSTOP before and after it, and half a write.
 */
export function pointsOf(counts) {
  const points = [];
  calls.forEach(({ name, errors, late = '' }, call) => {
    const names = errors.split(' ').filter(Boolean);
    const lateNames = late === '' && lateCalls.has(name) ? ['EIO'] : late.split(' ');
    for (let nth = 1; nth <= counts[call]; nth++) {
      const at = { call, nth };
      for (const error of names) {
        points.push({ ...at, action: 'error', error });
        // A call that is interrupted for ever may be tried again for ever.
        if (error !== 'EINTR') points.push({ ...at, action: 'error', error, forever: true });
      }
      for (const error of lateNames.filter(Boolean)) points.push({ ...at, action: 'late', error });
      if (name === 'pwrite64') points.push({ ...at, action: 'short' });
      points.push({ ...at, action: 'delay', value: delayMs });
      for (const action of ['before', 'after']) {
        if (name === 'clone' && action === 'before') continue; // the same as after the call before
        points.push({ ...at, action, signal: 'SIGKILL' });
        points.push({ ...at, action, signal: 'SIGSTOP', then: 'SIGKILL' });
        points.push({ ...at, action, signal: 'SIGSTOP', then: 'SIGCONT' });
      }
    }
  });
  return points;
}

export function describe({ call, nth, action, error, forever, signal, then }) {
  const what = error ?? (signal === undefined ? action : `${signal} ${action}`);
  const rest = [action === 'late' && 'late', forever && 'for ever', then && `then ${then}`];
  return [`${calls[call].name} ${nth}`, what, ...rest.filter(Boolean)].join(', ');
}

/** The file that the plan is in. */
export class PlanFile {
  #file;

  constructor(path) {
    this.#file = openSync(path, 'r+');
  }

  static size = bytes;

  arm({ call = -1, nth = 0, forever = false, action = 'none', error, signal, value = 0 } = {}) {
    const plan = new Int32Array(bytes / 4);
    const number = error === undefined ? value : constants.errno[error];
    plan[1] = call;
    plan[2] = nth;
    plan[3] = forever ? 1 : 0;
    plan[4] = actions.indexOf(action);
    plan[5] = signal === undefined ? number : constants.signals[signal];
    writeSync(this.#file, plan, 4, bytes - 4, 4);
    writeSync(this.#file, new Int32Array([1]), 0, 4, 0);
  }

  /** How often the plan struck, and how many calls there were of each kind. */
  disarm() {
    writeSync(this.#file, new Int32Array([0]), 0, 4, 0);
    return this.read();
  }

  read() {
    const plan = new Int32Array(bytes / 4);
    readSync(this.#file, plan, 0, bytes, 0);
    return { hits: plan[6], counts: [...plan.subarray(fields)] };
  }

  close() {
    closeSync(this.#file);
  }
}
