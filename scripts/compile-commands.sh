#!/usr/bin/env bash
# Writes compile_commands.json, from which editors, clangd and clang-tidy learn how each file of the
# addon is compiled. node-gyp itself is asked, so that there is no second list of flags.
. "$(dirname "$0")/common.sh"

# gyp writes beside binding.gyp and into build/, which node-gyp-build would look into and which a
# build under way may be using. So it works in a copy.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp -r binding.gyp package.json native "$work"
ln -s "$PWD/node_modules" "$work/node_modules"

gyp="$PWD/node_modules/node-gyp/bin/node-gyp.js"
log="$work/log"
if ! (cd "$work" && node "$gyp" configure ${NODEDIR:+"--nodedir=$NODEDIR"} -- -f compile_commands_json > "$log" 2>&1); then
  cat "$log" >&2
  exit 1
fi

# With the paths of this folder instead of the copy's.
node - "$work" "$PWD" > "$work/compile_commands.json" << 'SCRIPT'
const { readFileSync, realpathSync } = require('node:fs');
const [work, root] = process.argv.slice(2);
const text = readFileSync(`${work}/build/Release/compile_commands.json`, 'utf8');
const here = text.replaceAll(realpathSync(work), root).replaceAll(work, root);
const entries = JSON.parse(here).map((entry) => ({ ...entry, directory: root }));
if (entries.length === 0) throw new Error('gyp names no file');
console.log(JSON.stringify(entries, null, 2));
SCRIPT
mv "$work/compile_commands.json" compile_commands.json
echo "compile_commands.json: $(grep -c '"file"' compile_commands.json) files"
