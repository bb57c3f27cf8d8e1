/**
 * Hints that a file of a folder came, went, was replaced, or was written to: fs.watch, one for each folder however many
 * wait there. A hint may be missing (inotify(7) has limits, some filesystems have none), so nobody
 * relies on one.
 */
import { watch, type FSWatcher } from 'node:fs';

type Call = (file: string | null) => void;

interface Watch {
  readonly watcher: FSWatcher;
  /** Whether what is written into files matters, too. */
  readonly calls: Map<Call, boolean>;
}

const watches = new Map<string, Watch>();

/** Calls back with the name of a file, or null when it is not known. The result ends it. */
export function onFolderChange(
  folder: string,
  call: Call,
  { contents = false }: { contents?: boolean } = {},
): () => void {
  const entry = watches.get(folder) ?? start(folder);
  if (entry === undefined) return () => undefined;
  entry.calls.set(call, contents);
  return () => {
    if (entry.calls.delete(call) && entry.calls.size === 0) stop(folder, entry);
  };
}

function start(folder: string): Watch | undefined {
  const calls: Watch['calls'] = new Map();
  try {
    const watcher = watch(folder, { persistent: false }, (event, file) => {
      for (const [call, contents] of calls) if (contents || event === 'rename') call(file);
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
