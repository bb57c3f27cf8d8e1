// The package as it is published, for those who try it as users have it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { repository } from './child.mjs';

/** No script of any package runs at an installation. */
export const withoutScripts = {
  ...process.env,
  npm_config_loglevel: 'error',
  npm_config_ignore_scripts: 'true',
};

const npm = (cwd, ...args) =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', env: withoutScripts });

/** Packs the repository into a folder, tells how large that is, and where. */
export function pack(folder) {
  const answer = npm(repository, 'pack', '--json', '--pack-destination', folder);
  const [{ filename, size, unpackedSize }] = JSON.parse(answer);
  console.log(`${filename}: ${size} bytes, ${unpackedSize} unpacked`);
  return join(folder, filename);
}

/** Installs packages into a folder that has a package.json. */
export function install(folder, ...packages) {
  npm(folder, 'install', '--no-audit', '--no-fund', '--prefer-offline', ...packages);
}
