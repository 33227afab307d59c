# What fish would show at the end of the line $argv[1], without descriptions.
gantry completion fish | source
complete -C "$argv[1]" | string replace -r '\t.*' ''
true
