# What zsh would list at the end of the line $1: an interactive one in a terminal of its own is asked, with a widget that
# prints what completion adds instead of showing it.
zmodload zsh/zpty
setup=$(mktemp)
cat >$setup <<'END'
PROMPT= RPROMPT=
autoload -Uz compinit && compinit -D -u
source <(gantry completion zsh)
compadd() {
    # Calls that only sort words into arrays add nothing.
    [[ ${@[1,(i)(-|--)]} == *-[OAD]* ]] && { builtin compadd "$@"; return }
    local -a fitting
    builtin compadd -O fitting "$@"
    added+=("${fitting[@]}")
    builtin compadd "$@"
}
ask() {
    typeset -ga added=()
    _main_complete
    print -rl -- '<begin>' "${added[@]}" '<end>'
    compstate[list]= compstate[insert]=
}
zle -C ask complete-word ask
bindkey '^I' ask
print '<ready>'
END
zpty shell zsh -f -i
zpty -w shell "source $setup"
zpty -r shell output '*<ready>*'
zpty -n -w shell "$1"$'\t'
zpty -r shell output '*<end>*'
zpty -d shell
rm $setup
output=${output#*<begin>} output=${output%%<end>*}
print -r -- "${(F)${(f)${output//$'\r'/}}}"
