# ./bench --nodes 2: the node that owns the volume beside one that does not. Sourced by ./bench, with its options and helpers.

. "$root/test-cluster/bench/far.sh"

# What GlusterFS 10 did on the same kind of machine: replica 2, bricks on tmpfs, both on one host.
declare -A glusterfs=([randread4k]=8700 [write4k]=6900 [create1k]=530 [stat]=3900)
cluster_rows=(randread4k write4k read1m write1m write1m-new mmapread create1k stat stat-warm openread rename unlink together far)

# Starts two nodes in $1, with bytes between them by $2 (shm or tcp) and pools of $3.
nodes_up() {
  local where=$1
  "$root/tessera" up --state "$where" --nodes 2 --pool-size "$3" >"$where.log" 2>&1 || {
    cat "$where.log" >&2
    tessera_die "TesseraFS did not start"
  }
  [[ $2 == tcp ]] || return 0
  "$root/tessera" down --state "$where" >>"$where.log" 2>&1 || tessera_die "TesseraFS did not stop"
  sed -i 's/^fabric:$/fabric:\n  tcpOnly: true/' "$where"/node*/node.yaml
  grep -q 'tcpOnly: true' "$where"/node2/node.yaml || tessera_die "cannot configure the fabric in $where/node2/node.yaml"
  "$root/tessera" up --state "$where" --nodes 2 >>"$where.log" 2>&1 || tessera_die "TesseraFS did not start"
}

cluster_bench() {
  provider=shm
  ((tcp_only)) && provider=tcp
  nodes_up "$state" "$provider" "$pool_size"
  declare -gA mount=([A]=$state/node1/mnt/a [B]=$state/node2/mnt/b)
  mkdir "${mount[A]}" "${mount[B]}" || tessera_die "the mounts do not work"
  samples=$scratch/samples
  : >"$samples"
  [[ ! $(cluster_plan) ]] || cluster_measure
  wants together && together_measure
  wants far && far_measure
  cluster_report
}

# The rows that are measured on each node by itself: rename and unlink work on the files of create1k.
cluster_plan() {
  local row
  for row in "${cluster_rows[@]}"; do
    case $row in
      together | far) ;;
      create1k | rename | unlink) { wants create1k || wants rename || wants unlink; } && printf '%s\n' "$row" ;;
      *) wants "$row" && printf '%s\n' "$row" ;;
    esac
  done
}

cluster_measure() {
  local row rep side keep plan
  mapfile -t plan < <(cluster_plan)
  for side in A B; do
    "$scratch/loadgen" prepare "${mount[$side]}" "$file_mib" "$files" 1 || tessera_die "preparing ${mount[$side]} failed"
  done
  for ((rep = 0; rep <= reps; rep++)); do
    ((rep == 0)) && tessera_say "warming up" || tessera_say "repetition $rep of $reps"
    for row in "${plan[@]}"; do
      keep=drop
      ((rep > 0)) && wants "$row" && keep=keep
      if [[ $row == stat-warm ]]; then
        stat_warm
      elif ((rep % 2)); then
        measure A "$row" "$keep" && measure B "$row" "$keep"
      else
        measure B "$row" "$keep" && measure A "$row" "$keep"
      fi || exit 1
    done
  done
}

# Without dropping names in between: the kernels' caches, which tokens keep valid.
stat_warm() {
  local side line
  for side in A B; do
    "$scratch/loadgen" stat "${mount[$side]}" "$seconds" >/dev/null || return 1
    line=$("$scratch/loadgen" stat "${mount[$side]}" "$seconds") || return 1
    if [[ $keep == keep ]]; then printf '%s %s\n' "$side" "${line/stat/stat-warm}" >>"$samples"; fi
  done
}

# Long, since the nodes ask each other for the tokens of their pages at first, and the JVMs compile.
together_seconds=6

together_measure() {
  gcc -O2 -o "$scratch/alternate" "$root/test-cluster/bench/alternate.c" || exit 1
  gcc -O2 -o "$scratch/handoff" "$root/test-cluster/src/test/c/handoff.c" || exit 1
  handoff=$("$scratch/handoff" 3000 "$state/node1/mnt" "$state/node2/mnt") || tessera_die "the hand-off failed"
  "$scratch/alternate" two "$together_seconds" "${mount[A]%/a}" "${mount[B]%/b}" >"$scratch/warm-up" || tessera_die "separate files failed"
  one=$("$scratch/alternate" one "$together_seconds" "${mount[A]%/a}" "${mount[B]%/b}") || tessera_die "alternate pages failed"
  two=$("$scratch/alternate" two "$together_seconds" "${mount[A]%/a}" "${mount[B]%/b}") || tessera_die "separate files failed"
}

together_report() {
  printf '\nmapped page between the nodes: %s\n' "$handoff"
  printf 'two nodes writing 4 KiB, O_DIRECT: %s/s to alternate pages of one file, %s/s to two files: %s of it\n' "$one" "$two" \
    "$(awk -v a="$one" -v b="$two" 'BEGIN {printf "%.2f", a / b}')"
}

cluster_table() {
  local row a a_spread b b_spread ratio bytes reference against
  printf '\n%-12s %12s %7s %12s %7s %7s   %s\n' row owner spread 'other node' spread ratio 'beside GlusterFS'
  while read -r row a a_spread b b_spread ratio bytes; do
    reference=${glusterfs[$row]:-}
    against=
    [[ -n $reference ]] && against=$(awk -v b="$b" -v r="$reference" 'BEGIN {printf "%.1fx of %d", b / r, r}')
    printf '%-12s %12.0f %6s%% %12.0f %6s%% %6.2fx   %s\n' "$row" "$a" "$a_spread" "$b" "$b_spread" "$ratio" "$against"
  done <"$scratch/digest"
}

cluster_report() {
  local by='shared memory'
  ((tcp_only)) && by=TCP
  digest "$samples" >"$scratch/digest"
  [[ ! -s $samples ]] || cluster_table
  wants together && together_report
  wants far && far_report
  printf '\noperations per second; two daemons on this machine, bytes between them by %s\n' "$by"
  mkdir -p "$root/bench-results"
  local out=$root/bench-results/$(date -u +%Y%m%dT%H%M%SZ)-cluster.json
  cluster_json >"$out"
  printf 'written to %s\n' "${out#"$root"/}"
}

cluster_json() {
  printf '{\n  "revision": "%s", "cores": %d, "kernel": "%s", "provider": "%s",\n' \
    "$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)" "$(nproc)" "$(uname -r)" "$provider"
  wants together && printf '  "handoff": "%s",\n  "alternatePagesOps": %s, "separateFilesOps": %s,\n' "$handoff" "$one" "$two"
  wants far && far_json
  printf '  "rows": [\n'
  awk '{printf "%s    {\"row\": \"%s\", \"ownerOps\": %s, \"ownerSpread\": %.2f, \"otherOps\": %s, \"otherSpread\": %.2f, \"ratio\": %s}", ((NR > 1 ? ",\n" : "")), $1, $2, $3 / 100, $4, $5 / 100, $6}' "$scratch/digest"
  printf '\n  ]\n}\n'
}
