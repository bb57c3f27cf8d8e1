/**
 * Tells the demo to an audience of people: a progress bar while a race runs, in its place afterwards
 * a bar of what the race left. Without a terminal only the latter is written.
 */
import { SingleBar } from 'cli-progress';

import type { Audience } from './demo-acts.js';
import { barLength, count, keptLine, raceName } from './demo-text.js';
import type { Screen } from './screen.js';

/** An audience that can leave at any time. */
export interface Narrator extends Audience {
  /** Gives the terminal back as it was. */
  stop(): void;
}

export function narratorOn(screen: Screen): Narrator {
  let bar: SingleBar | undefined;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    raceStarts: (locked, expected) => {
      if (!screen.interactive) return;
      bar = barOn(screen, raceName(locked));
      bar.start(expected, 0);
    },
    raceProgress: (written) => bar?.update(written),
    raceEnds: (figures) => {
      stop();
      screen.print(keptLine(screen, figures));
    },
    stop,
  };
}

function barOn(screen: Screen, name: string): SingleBar {
  return new SingleBar({
    stream: screen.output,
    format: `${name}  ${screen.paint('cyan', '{bar}')}  {value} of {total} written`,
    barsize: barLength,
    formatValue: count,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    fps: 20,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false, // whoever calls the demo decides what a signal does
  });
}
