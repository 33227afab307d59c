# What readline would be given at the end of the line $1.
source <(gantry completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
COMP_WORDS=($(sed 's/[:=]/ & /g' <<<"$1"))
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_gantry
printf '%s\n' "${COMPREPLY[@]}"
