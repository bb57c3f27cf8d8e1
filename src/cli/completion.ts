/** `holdfast completion SHELL`: a script that lets the shell ask the command what may come next. */
import type { Context } from './context.js';
import { ExitCode, UsageError } from './exit-codes.js';

export function run({ args, output }: Context): Promise<number> {
  const [shell = ''] = args.operands;
  const script = Object.hasOwn(scripts, shell) ? scripts[shell as keyof typeof scripts] : undefined;
  if (script === undefined) {
    throw new UsageError(`there are completions for bash, zsh and fish, not '${shell}'`);
  }
  output.write(script);
  return Promise.resolve(ExitCode.ok);
}

/** The words up to the cursor; after `guard … --` the other command's own completion takes over. */
const scripts = {
  bash: `# holdfast completion for bash: eval "$(holdfast completion bash)"
_holdfast() {
  local IFS=$'\\n' line=\${COMP_LINE:0:COMP_POINT} words=() n=-1 before word i
  # One word to us is several to bash, at a colon for one; what we print goes in place of the last.
  for (( i = 0; i <= COMP_CWORD; i++ )); do
    word=\${COMP_WORDS[i]}
    if [[ $n == -1 || -z $COMP_LINE || $line == [[:space:]]* ]]; then
      n=$(( n + 1 )) before=
      line=\${line#"\${line%%[![:space:]]*}"}
    else
      before=\${words[n]}
    fi
    words[n]=$before$word
    line=\${line#"$word"}
  done
  [[ $word != [:=] ]] || before+=$word
  before=\${before%@} # readline takes what follows one with it
  COMPREPLY=()
  while read -r word; do
    COMPREPLY+=("$(printf '%q' "\${word#"$before"}")")
  done < <(holdfast __complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -o bashdefault -o default -F _holdfast holdfast
`,
  zsh: `#compdef holdfast
# holdfast completion for zsh: eval "$(holdfast completion zsh)"
_holdfast() {
  local -a found
  found=("\${(@f)$(holdfast __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  if (( \${#found} )); then
    compadd -- "\${found[@]}"
  else
    _default
  fi
}
compdef _holdfast holdfast
`,
  fish: `# holdfast completion for fish: holdfast completion fish | source
function __holdfast_complete
    set -l words (commandline -opc) (commandline -ct)
    holdfast __complete -- $words[2..-1] 2>/dev/null
end
complete -c holdfast -e
complete -c holdfast -f -n 'not contains -- -- (commandline -opc)' -a '(__holdfast_complete)'
`,
};
