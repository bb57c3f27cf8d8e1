/**
 * What happens to locks, on `node:diagnostics_channel`. Nothing is built or published unless
 * somebody has subscribed.
 *
 * - `tracingChannel('holdfast:acquire')`: start and end of every attempt and wait, with its error.
 * - `holdfast:release`: a lock was given back.
 * - `holdfast:lost`: a holder found out that its lock is gone.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';

/** The message on every channel; `result` and `error` are added by the tracing channel. */
export interface LockEvent {
  kind: 'file';
  /** The resource: absolute; where it is a link, what it points to. */
  resource: string;
  shared: boolean;
}

export const acquireChannel = tracingChannel<unknown, LockEvent>('holdfast:acquire');
export const releaseChannel = channel('holdfast:release');
export const lostChannel = channel('holdfast:lost');
