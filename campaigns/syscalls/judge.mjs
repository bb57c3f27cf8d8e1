// What may be left of an operation that was hurt: read from the files, not asked of the library.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

import { isWhole } from '../damage/damages.mjs';
import { calls } from './plan.mjs';

const readIf = (path) => (existsSync(path) ? readFileSync(path) : null);

export function filesOf(path) {
  return { lock: readIf(path('lock')), freeze: readIf(path('freeze')), left: readIf(path('new')) };
}

function parse(bytes) {
  if (bytes === null || !isWhole(bytes)) return undefined;
  const { id, token, kind } = JSON.parse(bytes);
  return { id, token: BigInt(token), kind };
}

const isSame = (a, b) => (a === null || b === null ? a === b : a.equals(b));

/** Whether somebody holds a kernel lock on the file, as flock(1) finds. */
export function isLocked(path) {
  if (!existsSync(path)) return false;
  const { status, error } = spawnSync('flock', ['-n', path, 'true']);
  if (error !== undefined) throw error;
  return status !== 0;
}

/** An error has a type, and names the call, its error and the path. */
export function judgeError(error, point, dir) {
  const { name, message, code, path, cause } = error;
  const { syscalls } = calls[point.call];
  if (name !== 'LockError' || !/^ERR_LOCK_[A-Z_]+$/.test(code)) return [`untyped: ${error.stack}`];
  if (point.error === undefined) return [`an error without a fault: ${error.stack}`];
  if (code === 'ERR_LOCK_FS_UNSUPPORTED' && point.error === 'EOPNOTSUPP') return [];
  if (code !== 'ERR_LOCK_SYSTEM') return [`${code} for ${point.error}: ${message}`];
  const faults = [];
  if (cause.code !== point.error || !syscalls.includes(cause.syscall)) {
    faults.push(`it names ${cause.syscall} ${cause.code}`);
  }
  if (!path?.startsWith(dir) || !message.includes(path))
    faults.push(`it names ${path}: ${message}`);
  if (!message.includes(point.error)) faults.push(`the message is ${message}`);
  return faults;
}

/**
 * The record is the old one or the new one, and whole. `answer` is undefined for an operation whose
 * process died in it.
 */
export function judgeFiles({ effect, kind, during }, before, after, answer) {
  const faults = [];
  const demand = (holds, what) => {
    if (!holds) faults.push(what);
  };
  const died = answer === undefined;
  const failed = died || answer.error !== undefined;
  const value = answer?.value;
  const [was, is] = [parse(before.lock), parse(after.lock)];
  const old = isSame(before.lock, after.lock);
  const gone = after.lock === null;
  const mine = is !== undefined && is.id === was?.id && is.token === was?.token;
  // Where there is a record, another takes its place at once; a new one may be cut short by death. Who
  // waits creates it after the other one has released.
  const isNew = before.lock === null || during !== undefined;
  demand(gone || is !== undefined || (died && isNew), 'a torn record');
  demand(after.freeze === null || isWhole(after.freeze), 'a torn freeze');
  switch (effect) {
    case 'grant':
      if (died) break;
      if (failed) demand(old || gone || isDead(kind, answer), 'a record of nobody');
      else if (value === null) demand(false, 'denied, and nobody holds it');
      else {
        demand(is?.id === value.id && is.token === BigInt(value.token), 'granted without record');
      }
      break;
    case 'renew':
    case 'detach':
      demand(mine, 'the record is lost');
      if (!failed && effect === 'detach') demand(is?.kind === 'detached', 'not detached');
      break;
    case 'release':
    case 'break':
    case 'sweep':
      demand(gone || old, 'another record');
      if (failed || isLeftAlone(effect, answer)) break;
      demand(gone, 'the record is still there');
      if (effect === 'release') demand(value === 'released', `answered ${value}`);
      else demand(value === String(was.token), `answered ${value}`);
      if (effect === 'sweep') demand(after.left === null, 'the left-over is still there');
      break;
    case 'freeze':
      demand(failed || after.freeze !== null, 'not frozen');
      break;
    case 'unfreeze':
      demand(failed || (after.freeze === null && value), 'not thawed');
      break;
    case 'look':
      demand(old, 'the record was changed');
      demand(failed || value === 'held', `answered ${value}`);
      break;
    default:
      throw new Error(effect);
  }
  return faults;
}

/**
 * What was made is taken back, unless the files cannot be looked at any more: then an attached record
 * stays, with nobody behind it, and the next one takes it.
 */
function isDead(kind, { point, locked }) {
  return kind === 'attached' && point.forever && calls[point.call].name === 'newfstatat' && !locked;
}

/** A sweep passes over what it may not touch, as that of another user. */
function isLeftAlone(effect, { value, point }) {
  return effect === 'sweep' && value === 'undefined' && /^(EACCES|EPERM)$/.test(point.error ?? '');
}
