// Writes docs/cli.md from the definitions of the command (src/cli/specs.ts), as compiled into lib/.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

import { reference } from '../lib/cli/reference.js';

const file = fileURLToPath(new URL('../docs/cli.md', import.meta.url));
const options = await resolveConfig(file);
writeFileSync(file, await format(reference(), { ...options, filepath: file }));
