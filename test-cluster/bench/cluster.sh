# ./bench --nodes 2: the node that owns the volume beside one that does not. Sourced by ./bench, with its options and helpers.

# What GlusterFS 10 did on the same kind of machine: replica 2, bricks on tmpfs, both on one host.
declare -A glusterfs=([randread4k]=8700 [write4k]=6900 [create1k]=530 [stat]=3900)
cluster_rows=(randread4k write4k read1m write1m write1m-new mmapread create1k stat openread rename unlink)

cluster_up() {
  "$root/tessera" up --state "$state" --nodes 2 --pool-size "$pool_size" >"$scratch/up.log" 2>&1 || {
    cat "$scratch/up.log" >&2
    tessera_die "TesseraFS did not start"
  }
  if ((tcp_only)); then
    "$root/tessera" down --state "$state" >>"$scratch/up.log" 2>&1 || tessera_die "TesseraFS did not stop"
    sed -i 's/^fabric:$/fabric:\n  tcpOnly: true/' "$state"/node*/node.yaml
    grep -q 'tcpOnly: true' "$state"/node2/node.yaml || tessera_die "cannot configure the fabric in $state/node2/node.yaml"
    "$root/tessera" up --state "$state" --nodes 2 >>"$scratch/up.log" 2>&1 || tessera_die "TesseraFS did not start"
  fi
}

cluster_bench() {
  local row rep side keep
  gcc -O2 -o "$scratch/alternate" "$root/test-cluster/bench/alternate.c" || exit 1
  gcc -O2 -o "$scratch/handoff" "$root/test-cluster/src/test/c/handoff.c" || exit 1
  cluster_up
  declare -gA mount=([A]=$state/node1/mnt/a [B]=$state/node2/mnt/b)
  mkdir "${mount[A]}" "${mount[B]}" || tessera_die "the mounts do not work"
  samples=$scratch/samples
  : >"$samples"
  for side in A B; do
    "$scratch/loadgen" prepare "${mount[$side]}" "$file_mib" "$files" 1 || tessera_die "preparing ${mount[$side]} failed"
  done
  for ((rep = 0; rep <= reps; rep++)); do
    ((rep == 0)) && tessera_say "warming up" || tessera_say "repetition $rep of $reps"
    for row in "${cluster_rows[@]}"; do
      keep=drop
      ((rep > 0)) && keep=keep
      if ((rep % 2)); then
        measure A "$row" "$keep" && measure B "$row" "$keep"
      else
        measure B "$row" "$keep" && measure A "$row" "$keep"
      fi || exit 1
    done
    # Once more without dropping names: the kernel's caches, which tokens keep valid.
    for side in A B; do
      "$scratch/loadgen" stat "${mount[$side]}" "$seconds" >/dev/null || exit 1
      line=$("$scratch/loadgen" stat "${mount[$side]}" "$seconds") || exit 1
      if [[ $keep == keep ]]; then printf '%s %s\n' "$side" "${line/stat/stat-warm}" >>"$samples"; fi
    done
  done
  handoff=$("$scratch/handoff" 3000 "$state/node1/mnt" "$state/node2/mnt") || tessera_die "the hand-off failed"
  local one two
  one=$("$scratch/alternate" one "$seconds" "${mount[A]%/a}" "${mount[B]%/b}") || tessera_die "alternate pages failed"
  two=$("$scratch/alternate" two "$seconds" "${mount[A]%/a}" "${mount[B]%/b}") || tessera_die "separate files failed"
  cluster_report "$one" "$two"
}

cluster_report() {
  local one=$1 two=$2 reference against out
  digest "$samples" >"$scratch/digest"
  printf '\n%-12s %12s %7s %12s %7s %7s   %s\n' row owner spread 'other node' spread ratio 'beside GlusterFS'
  while read -r row a a_spread b b_spread ratio bytes; do
    reference=${glusterfs[$row]:-}
    against=
    [[ -n $reference ]] && against=$(awk -v b="$b" -v r="$reference" 'BEGIN {printf "%.1fx of %d", b / r, r}')
    printf '%-12s %12.0f %6s%% %12.0f %6s%% %6.2fx   %s\n' "$row" "$a" "$a_spread" "$b" "$b_spread" "$ratio" "$against"
  done <"$scratch/digest"
  printf '\nmapped page between the nodes: %s\n' "$handoff"
  printf 'two nodes writing 4 KiB, O_DIRECT: %s/s to alternate pages of one file, %s/s to two files: %s of it\n' "$one" "$two" \
    "$(awk -v a="$one" -v b="$two" 'BEGIN {printf "%.2f", a / b}')"
  printf '\noperations per second; two daemons on this machine, bytes between them by %s\n' \
    "$( ((tcp_only)) && echo TCP || echo 'shared memory')"
  mkdir -p "$root/bench-results"
  out=$root/bench-results/$(date -u +%Y%m%dT%H%M%SZ)-cluster.json
  {
    printf '{\n  "revision": "%s", "cores": %d, "kernel": "%s", "provider": "%s",\n' \
      "$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)" "$(nproc)" "$(uname -r)" \
      "$( ((tcp_only)) && echo tcp || echo shm)"
    printf '  "handoff": "%s",\n  "alternatePagesOps": %s, "separateFilesOps": %s,\n  "rows": [\n' "$handoff" "$one" "$two"
    awk '{printf "%s    {\"row\": \"%s\", \"ownerOps\": %s, \"ownerSpread\": %.2f, \"otherOps\": %s, \"otherSpread\": %.2f, \"ratio\": %s}", ((NR > 1 ? ",\n" : "")), $1, $2, $3 / 100, $4, $5 / 100, $6}' "$scratch/digest"
    printf '\n  ]\n}\n'
  } >"$out"
  printf 'written to %s\n' "${out#"$root"/}"
}
