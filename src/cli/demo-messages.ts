/** What the demo and its processes say to each other (over IPC, structured clones). */
import type { LockErrorCode } from '../errors.js';
import type { HolderInfo } from '../owner.js';

/** One process adds its entries to the list in the file, with the lock or without. */
export interface AppendJob {
  kind: 'append';
  file: string;
  /** Which of the processes this is; it stands in every entry. */
  writer: number;
  entries: number;
  locked: boolean;
}

/** One process takes the lock, and keeps it until it is dismissed. */
export interface HoldJob {
  kind: 'hold';
  file: string;
  owner: string;
}

/** One process waits for the lock, for so long. */
export interface WaitJob {
  kind: 'wait';
  file: string;
  timeoutMs: number;
}

/** What an {@link AppendJob} met. */
export interface AppendAnswer {
  /** How often the file was no JSON when it was read. */
  halfWritten: number;
  /** How often it stayed so, and a new list was begun. */
  restarts: number;
  longestWaitMs: number;
}

/** The LockError that a {@link WaitJob} ended with. */
export interface WaitAnswer {
  code: LockErrorCode;
  message: string;
  waitedMs: number;
  holder: HolderInfo | null;
}

export type Job = AppendJob | HoldJob | WaitJob;

/** The answer to each kind of job; a {@link HoldJob} answers when it has the lock. */
export interface Answers {
  append: AppendAnswer;
  hold: null;
  wait: WaitAnswer;
}

/** From a process to the demo. `progress` counts the entries written so far. */
export type Report =
  | { type: 'ready' }
  | { type: 'progress'; written: number }
  | { type: 'answer'; answer: Answers[keyof Answers] }
  | { type: 'failed'; message: string };
