# Part of ./bench --nodes 2: what a node pays for bytes that are on the other, beside its floors. Sourced by cluster.sh.

far_mib=256
# Of files that a node writes alone, in MiB; token messages should not depend on them.
lone_mib=(16 1024)

# One measurement: side, mode, arguments of far; "keep" comes from the caller.
far() {
  local line
  line=$("$scratch/far" "${@:2}") || tessera_die "far ${*:2} failed"
  if [[ $keep == keep ]]; then printf '%s %s %s\n' "$1" "$2" "$line" >>"$far_samples"; fi
}

# One file of the first node, just written: reading it takes the tokens from there.
far_fresh() {
  local side=$1 from=$2 to=$3 file=fresh-$rep-$1
  "$scratch/far" write "$from/$file" "$far_mib" >/dev/null || tessera_die "writing $from/$file failed"
  line=$("$scratch/far" cold "$to/$file" 0.000001) || tessera_die "reading $to/$file failed"
  if [[ $keep == keep ]]; then printf '%s fresh %s\n' "$side" "$line" >>"$far_samples"; fi
  rm "$from/$file"
}

far_side() {
  local from=${far_state[$1]}/node1/mnt to=${far_state[$1]}/node2/mnt
  case $1 in
    floor)
      far floor echo "$seconds"
      far floor tcp "$seconds"
      far floor memcpy "$scratch/floor" "$seconds"
      return
      ;;
    local) to=$from ;;
  esac
  far "$1" read4k "$to/far" "$seconds"
  far "$1" stream "$to/far" "$seconds"
  far "$1" cold "$to/far" "$seconds"
  far_fresh "$1" "$from" "$to"
}

# Median of a field of side $1's lines for mode $2.
far_median() {
  awk -v side="$1" -v mode="$2" -v field="${3:-1}" '$1 == side && $2 == mode {print $(field + 2)}' "$far_samples" |
    sort -g | awk '{v[NR] = $1} END {print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2)}'
}

# Token messages that node 2 of the main cluster has sent and received.
token_messages() {
  "$root/tessera" status --state "$state" --node 2 --metrics |
    awk '/^tessera_token_(requests|grants|recalls|releases)_total/ {sum += $NF} END {printf "%d\n", sum}'
}

lone_writer() {
  local mib before
  lone=()
  for mib in "${lone_mib[@]}"; do
    before=$(token_messages)
    "$scratch/far" write "$state/node2/mnt/lone" "$mib" >/dev/null || tessera_die "the lone writer failed"
    lone+=("$(($(token_messages) - before))")
    rm "$state/node2/mnt/lone"
  done
}

far_measure() {
  local rep keep side
  gcc -O2 -o "$scratch/far" "$root/test-cluster/bench/far.c" || exit 1
  far_samples=$scratch/far.samples
  : >"$far_samples"
  lone_writer
  declare -gA far_state=([shm]=$second [tcp]=$second [floor]= [local]=$state)
  far_state[$provider]=$state
  nodes_up "$second" "$([[ $provider == shm ]] && echo tcp || echo shm)" 1G
  for side in "$state" "$second"; do
    "$scratch/far" write "$side/node1/mnt/far" "$far_mib" >/dev/null || tessera_die "writing on $side failed"
  done
  head -c "${far_mib}M" /dev/zero >"$scratch/floor"
  local order=(floor local shm tcp)
  for ((rep = 0; rep <= reps; rep++)); do
    ((rep == 0)) && tessera_say "remote reads: warming up" || tessera_say "remote reads: repetition $rep of $reps"
    keep=drop
    ((rep > 0)) && keep=keep
    for side in "${order[@]}"; do
      far_side "$side"
    done
    order=("${order[@]:1}" "${order[0]}")
  done
}

far_report() {
  local side mode
  echo_us=$(far_median floor echo 2)
  memcpy=$(far_median floor memcpy)
  printf '\n%-30s %9s %9s %12s\n' '4 KiB read, O_DIRECT, random' median p99 'to TCP echo'
  printf '%-30s %6.1f us %6.1f us\n' 'raw TCP echo, 64 B for 4 KiB' "$echo_us" "$(far_median floor echo 3)"
  for side in local shm tcp; do
    printf '%-30s %6.1f us %6.1f us %11.2fx\n' "${far_name[$side]}" "$(far_median "$side" read4k 2)" "$(far_median "$side" read4k 3)" \
      "$(awk -v a="$(far_median "$side" read4k 2)" -v b="$echo_us" 'BEGIN {print a / b}')"
  done
  printf '\n%-30s %17s %17s %17s\n' '1 MiB reads, ascending' O_DIRECT 'page cache, cold' 'just written'
  printf '%-30s %17s\n' "memcpy from tmpfs" "$(share "$memcpy")" 'raw TCP, 64 B for 1 MiB' "$(share "$(far_median floor tcp)")"
  for side in local shm tcp; do
    printf '%-30s' "${far_name[$side]}"
    for mode in stream cold fresh; do printf ' %17s' "$(share "$(far_median "$side" "$mode")")"; done
    printf '\n'
  done
  printf '\ntoken messages of a lone writer that does not own the volume:'
  for mode in "${!lone_mib[@]}"; do printf ' %d for a file of %d MiB%s' "${lone[mode]}" "${lone_mib[mode]}" "$( ((mode)) || echo ,)"; done
  printf '\n'
}
declare -A far_name=([local]="where the bytes are" [shm]='the other node, shared memory' [tcp]='the other node, TCP')

# Bandwidth in GB/s, and in percent of memcpy's.
share() {
  awk -v b="$1" -v m="$memcpy" 'BEGIN {printf "%.2f GB/s %3.0f%%", b / 1e9, 100 * b / m}'
}

far_json() {
  local side mode i
  printf '  "remoteReads": {\n    "tcpEchoUs": {"median": %s, "p99": %s}, "memcpyBytesPerSecond": %s, "tcpBytesPerSecond": %s' \
    "$echo_us" "$(far_median floor echo 3)" "$memcpy" "$(far_median floor tcp)"
  for side in local shm tcp; do
    printf ',\n    "%s": {"read4kUs": {"median": %s, "p99": %s}' "$side" "$(far_median "$side" read4k 2)" "$(far_median "$side" read4k 3)"
    for mode in stream cold fresh; do printf ', "%sBytesPerSecond": %s' "$mode" "$(far_median "$side" "$mode")"; done
    printf '}'
  done
  printf '\n  },\n  "loneWriterTokenMessages": {'
  for i in "${!lone_mib[@]}"; do printf '%s"%dMiB": %d' "$( ((i)) && echo ', ')" "${lone_mib[i]}" "${lone[i]}"; done
  printf '},\n'
}
