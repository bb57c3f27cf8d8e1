/**
 * What every store has to do. The store is a parameter, and nothing here knows which it is: what one
 * cannot do it says in its capabilities. The tests have numbers; 10 (a reply is lost) and 12 (a machine
 * of several is lost) only make sense for a store elsewhere, and are tested with that.
 */
import type { Test } from 'tap';

import { deaths } from './deaths.js';
import { endings } from './endings.js';
import { exclusion } from './exclusion.js';
import { Run, type Subject } from './subject.js';
import { troubles } from './troubles.js';
import { waiting } from './waiting.js';
import { words } from './words.js';

export async function conformance(t: Test, subject: Subject): Promise<void> {
  const run = new Run(t, subject);
  for (const chapter of [exclusion, endings, deaths, waiting, words, troubles]) await chapter(run);
}
