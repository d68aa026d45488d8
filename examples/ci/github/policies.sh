# For the steps of action.yml: what they were asked to look at.

policies=()
while IFS= read -r name; do
  # No blanks around it: a list in YAML may have some.
  name="${name#"${name%%[![:space:]]*}"}"
  name="${name%"${name##*[![:space:]]}"}"
  [[ -z $name ]] || policies+=("$name")
done <<< "$POLICIES"
if [[ ${#policies[@]} -eq 0 ]]; then
  echo "::error::The input \`policies\` names nothing"
  exit 2
fi

# Runs a command whose output quotes policies: no line of it is taken for one of the runner's own.
quietly() {
  local token code=0
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$token"
  "$@" || code=$?
  echo "::$token::"
  return "$code"
}
