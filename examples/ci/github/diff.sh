#!/usr/bin/env bash
# What a change does to policies, as a comment for its review: diff.sh BASE FILE POLICY...
#
# BASE is a commit, POLICY a policy or a folder of some, relative to the current folder. FILE is
# Markdown of under 60,000 bytes, and empty where nothing changes. Modules are policies too, and a
# policy is compared although its own file is the same: what it imports may have changed.
#
# Ends with 2 where something does not compile, 1 where a verdict gets weaker or a policy is gone,
# 3 where not all could be compared, else with 0.
set -euo pipefail

base=$1 file=$2
shift 2
most=59000

old=$(mktemp -d)
trap 'git worktree remove --force "$old/tree" 2> /dev/null || true; rm -rf "$old"' EXIT
if ! git worktree add --quiet --detach "$old/tree" "$base" 2> /dev/null; then
  echo "There is no commit ${base//[^0-9A-Za-z._\/-]/?} here: check out with its whole history." >&2
  exit 2
fi
before=$old/tree/$(git rev-parse --show-prefix)

# The policies of a folder that are asked for, each ended by a zero byte.
found_in() {
  local folder=$1 name
  shift
  for name; do
    if [[ -e $folder/$name ]]; then
      (cd "$folder" && find "./$name" -name '*.guard' -not -path '*/.*/*' -type f -print0)
    fi
  done
}
found_in "$before" "$@" > "$old/found"
found_in . "$@" >> "$old/found"
mapfile -d '' -t paths < <(sort -zu "$old/found")

code=0
# The strongest stays: a bug, then 2, 1, 3.
declare -A rank=([0]=0 [3]=1 [1]=2 [2]=3)
count() {
  if ((${rank[$1]:-4} > ${rank[$code]:-4})); then code=$1; fi
}

: > "$file"
size=0 left_out=0
put() {
  local bytes
  bytes=$(wc -c <<< "$1")
  if ((size + bytes > most)); then
    left_out=$((left_out + 1))
    return
  fi
  size=$((size + bytes))
  printf '%s\n' "$1" >> "$file"
}

for path in "${paths[@]}"; do
  path=${path#./}
  # No character of a name that Markdown would read.
  shown="\`${path//[^0-9A-Za-z._\/ -]/?}\`"
  if [[ ! -e $path ]]; then
    put "## $shown"$'\n\n**removed: nothing is judged by it any more**\n'
    count 1
  elif [[ ! -e $before/$path ]]; then
    put "## $shown"$'\n\nnew\n'
  else
    ended=0
    page=$(guardkit diff --format markdown -- "$before/$path" "$path") || ended=$?
    count "$ended"
    if [[ -z $page ]]; then
      put "## $shown"$'\n\n**not compared: one of the two does not compile**\n'
    elif [[ $ended -ne 0 ]] || ! grep -qx 'nothing changes' <<< "$page"; then
      put "## $shown"$'\n\n'"$page"$'\n'
    fi
  fi
done
if ((left_out)); then
  printf '%s more %s not shown here.\n' "$left_out" "$([[ $left_out -eq 1 ]] && echo is || echo are)" >> "$file"
fi
if [[ -s $file ]]; then
  # Who writes the comment anew finds the one that was there by its first line.
  { echo '<!-- guardkit -->' && cat "$file"; } > "$old/page"
  cat "$old/page" > "$file"
  cat "$file"
fi
exit "$code"
