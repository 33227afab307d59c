//! The shells' side: each asks `gantry __complete` and shows what it says.

const BASH: &str = r#"# bash completion for gantry: source <(gantry completion bash)
_gantry() {
    local IFS=$'\n' line
    local current=${COMP_WORDS[COMP_CWORD]}
    # What the shell has taken apart at = and : is one word of the command line.
    local words
    read -r -d '' -a words < <(IFS=$' \t\n'; printf '%s\n' ${COMP_LINE:0:COMP_POINT})
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
    local whole=${words[${#words[@]} - 1]}
    COMPREPLY=()
    while read -r line; do
        line=${line%%$'\t'*}
        # Only what comes after the part that the shell holds already.
        [[ $whole != "$current" && -n $whole ]] && line=${line#"${whole%"$current"}"}
        COMPREPLY+=("$line")
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 0 ]] && compopt -o default 2>/dev/null
    return 0
}
complete -F _gantry gantry
"#;

const ZSH: &str = r#"#compdef gantry
# zsh completion for gantry: source <(gantry completion zsh), or as _gantry in a directory of $fpath
_gantry() {
    local -a lines candidates
    local line name about
    lines=("${(@f)$(${words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        [[ -z $line ]] && continue
        name=${line%%$'\t'*} about=
        [[ $line == *$'\t'* ]] && about=${line#*$'\t'}
        candidates+=("${name//:/\\:}${about:+:$about}")
    done
    if (( $#candidates )); then
        _describe -t gantry 'gantry' candidates
    else
        _files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _gantry "$@"
else
    compdef _gantry gantry
fi
"#;

const FISH: &str = r#"# fish completion for gantry: gantry completion fish | source
function __gantry_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c gantry -e
complete -c gantry -n 'count (__gantry_complete) >/dev/null' -f -a '(__gantry_complete)'
"#;

/// The completion script of a shell.
pub(crate) fn script(shell: &str) -> Option<&'static str> {
    match shell {
        "bash" => Some(BASH),
        "zsh" => Some(ZSH),
        "fish" => Some(FISH),
        _ => None,
    }
}
