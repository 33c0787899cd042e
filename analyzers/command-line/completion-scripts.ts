/**
 * What shells load to complete words of `iorr`. Each asks `iorr completion words -- WORD...`, which answers with a line
 * `word<TAB>what it is` for each candidate and, where names of files may stand, a last line `:files`; so the three know nothing of
 * commands and options, and never get stale.
 */
const BASH = `# bash completion of iorr: source <(iorr completion bash)
_iorr() {
  local line=\${COMP_LINE:0:COMP_POINT} word answer front files='' goes_on='' IFS=$' \\t\\n'
  local -a words=()
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  word=\${words[-1]}
  # bash cuts words at = and :, and replaces what lies behind them alone
  front=''
  case \${COMP_WORDS[COMP_CWORD]} in
    '=' | ':') front=$word ;;
    *) front=\${word%"\${COMP_WORDS[COMP_CWORD]}"} ;;
  esac
  COMPREPLY=()
  while IFS= read -r answer; do
    if [[ $answer == ':files' ]]; then files=1; continue; fi
    answer=\${answer%%$'\\t'*}
    [[ $answer == *= ]] && goes_on=1
    COMPREPLY+=("\${answer#"$front"}")
  done < <("\${words[0]}" completion words -- "\${words[@]:1}" 2>/dev/null)
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r answer; do COMPREPLY+=("$answer"); done < <(compgen -f -- "\${word#"$front"}")
  fi
  [[ -n $goes_on ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _iorr iorr
`;

const ZSH = `#compdef iorr
# zsh completion of iorr: source <(iorr completion zsh), or as _iorr in a folder of $fpath
_iorr() {
  local answer word files=''
  local -a done open about_done about_open
  while IFS= read -r answer; do
    if [[ $answer == ':files' ]]; then files=1; continue; fi
    word=\${answer%%$'\\t'*}
    if [[ $word == *= ]]; then
      open+=("$word"); about_open+=("\${answer/$'\\t'/  }")
    else
      done+=("$word"); about_done+=("\${answer/$'\\t'/  }")
    fi
  done < <("\${words[1]}" completion words -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)
  (( \${#done} )) && compadd -Q -l -d about_done -a done
  (( \${#open} )) && compadd -Q -S '' -l -d about_open -a open
  [[ -n $files ]] && _files
  return 0
}
if [[ $funcstack[1] == _iorr ]]; then _iorr "$@"; else compdef _iorr iorr; fi
`;

const FISH = `# fish completion of iorr: iorr completion fish > ~/.config/fish/completions/iorr.fish
function __iorr_words
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  for answer in ($words[1] completion words -- $words[2..-1] "$word" 2>/dev/null)
    if test "$answer" = ':files'
      __fish_complete_path "$word"
    else
      printf '%s\\n' $answer
    end
  end
end
complete -c iorr -f -a '(__iorr_words)'
`;

export const COMPLETION_SCRIPTS: { readonly [shell: string]: string } = { bash: BASH, zsh: ZSH, fish: FISH };
