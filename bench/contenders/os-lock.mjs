/**
 * os-lock: POSIX locks (fcntl(2)), which belong to the process: a second lock in it is granted, and
 * any close of the file drops the first. Between processes it excludes. It waits in libuv's pool.
 */
import { closeSync, openSync } from 'node:fs';

import { lock } from 'os-lock';

import { pairs } from '../lib/pairs.mjs';

export const can = {
  sync: false,
  waits: "in libuv's pool",
  processes: true,
  excludes: true,
};

export async function acquire(file) {
  const fd = openSync(file, 'r+');
  await lock(fd, { exclusive: true });
  return fd;
}
export const release = (fd) => closeSync(fd);
export const lockRelease = pairs(acquire, release);
