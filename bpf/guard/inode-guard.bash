# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Completion of inode-guard's command line, for bash: commands, options and
# operations, as the tool itself tells them, files, and for "remove" the paths
# that have rules (as root only: others cannot list them). Needs nothing but bash.
# shellcheck shell=bash

# What can come: fills COMPREPLY from words that are separated by spaces.
_inode_guard_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Names are completed as bash completes them: quoted, a slash behind directories.
_inode_guard_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# "read,wr": what is before the last comma stays, and is not offered again.
_inode_guard_operations() {
	local done="" operation operations=()
	[[ $1 != *,* ]] || done=${1%,*},
	for operation in all $(inode-guard --words --ops); do
		[[ ,$done == *,$operation,* ]] || operations+=("$done$operation")
	done
	compopt -o nospace 2>/dev/null
	_inode_guard_words "${operations[*]}" "$1"
}

# The last column of "save" would have to be read as apply does; JSON has it plain.
# Paths with other bytes than text are left out.
_inode_guard_guarded() {
	local path line
	compopt -o filenames 2>/dev/null
	COMPREPLY=()
	while IFS= read -r line; do
		[[ $line =~ \{\"path\":\"(([^\"\\]|\\[\"\\])*)\",\"state\" ]] || continue
		path=${BASH_REMATCH[1]//\\\"/\"}
		path=${path//\\\\/\\}
		[[ $path != "$1"* ]] || COMPREPLY+=("$path")
	done < <(inode-guard list --json 2>/dev/null)
	# Relative ones are for bash to find.
	((${#COMPREPLY[@]})) || _inode_guard_files "$1"
}

_inode_guard() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_inode_guard_words "$(inode-guard --words) --help --version" "$word"
		return
	fi
	case $command/$previous in
	deny/--ops | deny/-o | allow/--ops | allow/-o)
		_inode_guard_operations "$word"
		return
		;;
	deny/--only-for-user | deny/-u | allow/--only-for-user | allow/-u)
		mapfile -t COMPREPLY < <(compgen -u -- "$word")
		return
		;;
	deny/--only-for-group | deny/-g | allow/--only-for-group | allow/-g)
		mapfile -t COMPREPLY < <(compgen -g -- "$word")
		return
		;;
	start/--max-rules | start/-n | learn/--for | learn/-s) return ;;
	deny/--label | deny/-l | allow/--label | allow/-l) return ;;
	esac
	# The line is split at "=", too.
	if [[ $previous == "=" && ${COMP_WORDS[COMP_CWORD - 2]} == --seal ]]; then
		_inode_guard_words "add all" "$word"
		return
	fi
	if [[ $previous == --seal && $word == "=" ]]; then
		_inode_guard_words "add all" ""
		return
	fi
	if [[ $word == -* ]]; then
		_inode_guard_words "$(inode-guard --words "$command" 2>/dev/null)" "$word"
		return
	fi
	case $command in
	deny | allow | apply | save) _inode_guard_files "$word" ;;
	remove) _inode_guard_guarded "$word" ;;
	adopt) _inode_guard_words "$(cd /proc && echo [0-9]*)" "$word" ;;
	esac
}

complete -F _inode_guard inode-guard
