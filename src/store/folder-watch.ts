/**
 * Hints that a file of a folder came, went or was replaced: fs.watch, one for each folder however many
 * wait there. A hint may be missing (inotify(7) has limits, some filesystems have none), so nobody
 * relies on one.
 */
import { watch, type FSWatcher } from 'node:fs';

interface Watch {
  readonly watcher: FSWatcher;
  readonly calls: Set<(file: string | null) => void>;
}

const watches = new Map<string, Watch>();

/** Calls back with the name of a file, or null when it is not known. The result ends it. */
export function onFolderChange(folder: string, call: (file: string | null) => void): () => void {
  const entry = watches.get(folder) ?? start(folder);
  if (entry === undefined) return () => undefined;
  entry.calls.add(call);
  return () => {
    if (entry.calls.delete(call) && entry.calls.size === 0) stop(folder, entry);
  };
}

function start(folder: string): Watch | undefined {
  const calls = new Set<(file: string | null) => void>();
  try {
    const watcher = watch(folder, { persistent: false }, (event, file) => {
      if (event === 'rename') for (const call of calls) call(file);
    });
    const entry = { watcher, calls };
    watcher.on('error', () => {
      stop(folder, entry);
    });
    watches.set(folder, entry);
    return entry;
  } catch {
    return undefined; // no watch to be had: ENOSPC, EMFILE
  }
}

function stop(folder: string, entry: Watch): void {
  entry.watcher.close();
  if (watches.get(folder) === entry) watches.delete(folder);
}
