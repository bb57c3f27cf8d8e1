// Builds the crowd from the addon's own sources, and the oracle as an addon for Node. Of a mutant only
// the file that differs is compiled again.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { packageRoot, plant, testedRoot } from '../campaign.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
const headers = createRequire(import.meta.url)('node-api-headers').include_dir;

/** What speaks Node-API, or stands in for the C++ library where there is none. */
const addonOnly = [
  ...['addon.cc', 'environment.cc', 'file_exports.cc', 'lease_exports.cc', 'lock_exports.cc'],
  ...['nostd.cc', 'waits.cc', 'glibc_floor.cc'],
];

const compiler = (args) => promisify(execFile)('g++', [...flags, ...args]);

export class Workshop {
  #native;
  #folder;
  #objects = new Map(); // source -> object

  /** @param folder where everything that is built goes */
  constructor(folder) {
    this.#folder = folder;
    // A mutant of the compiled library alone comes without sources.
    const sources = join(testedRoot, 'native');
    this.#native = existsSync(sources) ? sources : join(packageRoot, 'native');
    this.witness = join(folder, 'witness.node');
  }

  static async open(folder) {
    const workshop = new Workshop(folder);
    await workshop.#build();
    return workshop;
  }

  /** One that has the oracle alone. */
  static async witness(folder) {
    const workshop = new Workshop(folder);
    await workshop.#buildWitness();
    return workshop;
  }

  async #build() {
    const native = this.#native;
    const sources = [
      ...[native, join(native, 'posix')].flatMap((part) =>
        readdirSync(part)
          .filter((file) => file.endsWith('.cc') && !addonOnly.includes(file))
          .map((file) => join(part, file)),
      ),
      ...['crowd.cc', 'holder.cc', 'lease_turn.cc'].map((file) => join(here, file)),
    ];
    const compiled = sources.map((source) => {
      const object = join(this.#folder, `${basename(source)}.o`);
      this.#objects.set(source, object);
      return compiler([`-I${native}`, '-c', source, '-o', object]);
    });
    await Promise.all([...compiled, this.#buildWitness()]);
  }

  #buildWitness() {
    const shared = ['-shared', '-fPIC', `-isystem${headers}`];
    return compiler([...shared, join(here, 'witness.cc'), '-o', this.witness]);
  }

  /** The crowd, or one with a fault in it. */
  async crowd(name, fault) {
    const objects = new Map(this.#objects);
    if (fault !== undefined) {
      const native = join(this.#folder, `${name}-native`);
      cpSync(this.#native, native, { recursive: true });
      const source = join(native, fault.file);
      plant(source, fault.from, fault.to);
      const object = join(native, 'mutant.o');
      await compiler([`-I${native}`, '-c', source, '-o', object]);
      objects.set(join(this.#native, fault.file), object);
    }
    const program = join(this.#folder, name);
    await compiler([...objects.values(), '-o', program]);
    return program;
  }
}
