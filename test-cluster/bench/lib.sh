# Parts of ./bench that start and stop the two filesystems and do the arithmetic. Sourced, not run.

# Finds the sources of libfuse's example: Debian's package has them, unless the image leaves documentation out.
find_example() {
  local dir=/usr/share/doc/libfuse3-dev/examples
  if [[ -e $dir/passthrough_ll.c || -e $dir/passthrough_ll.c.gz ]]; then
    printf '%s\n' "$dir"
    return 0
  fi
  (cd "$scratch" && apt-get -qq download libfuse3-dev >&2 && dpkg-deb -x libfuse3-dev_*.deb libfuse3-dev) || return 1
  printf '%s\n' "$scratch/libfuse3-dev$dir"
}

build_passthrough() {
  local examples source=$scratch/passthrough
  examples=$(find_example) || tessera_die "no sources of passthrough_ll; install libfuse3-dev with its documentation"
  mkdir -p "$source"
  cp "$examples"/passthrough_ll.c* "$examples"/passthrough_helpers.h* "$source"/
  gunzip -qf "$source"/*.gz 2>/dev/null
  # shellcheck disable=SC2046
  gcc -O2 -D_FILE_OFFSET_BITS=64 -o "$source/passthrough_ll" "$source/passthrough_ll.c" $(pkg-config fuse3 --cflags --libs)
}

# Aborts and detaches whatever is mounted below $scratch.
unmount_all() {
  local device mount
  while read -r device mount; do
    umount "$mount" 2>/dev/null && continue
    [[ -e /sys/fs/fuse/connections/${device#*:}/abort ]] && echo 1 >"/sys/fs/fuse/connections/${device#*:}/abort"
    umount -l "$mount" 2>/dev/null
  done < <(awk -v a="$scratch/" 'index($5, a) == 1 {print $3, $5}' /proc/self/mountinfo | sort -r -k 2)
}

# Pid of the daemon whose command line names directory $1.
daemon_of() {
  local pid
  for pid in $(grep -lsaF -e "$1" /proc/[0-9]*/cmdline | tr -dc '0-9\n'); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'java'; then
      printf '%s\n' "$pid"
      return 0
    fi
  done
  return 1
}

# "PRIVATE POOL" in MiB: the process's own memory and code, and the pages of the pool that it has mapped.
memory_of() {
  awk '/^RssAnon|^RssFile/ {own += $2} /^RssShmem/ {pool = $2} END {printf "%d %d\n", own / 1024, pool / 1024}' "/proc/$1/status"
}

# Dentries and inodes of both mounts go, so that names are looked up by the daemons and not by the kernel alone. The pause
# lets the daemons work off the FORGETs that this causes.
drop_names() {
  echo 2 >/proc/sys/vm/drop_caches
  sleep 0.3
}

# Reads "SIDE ROW OPERATIONS SECONDS BYTES" lines; writes one line per row, in the order of first appearance:
# ROW A_MEDIAN A_SPREAD% B_MEDIAN B_SPREAD% RATIO A_BYTES_PER_OPERATION
digest() {
  awk '
    function median(list, n,   i, j, t, a) {
      split(list, a, " "); n = 0; for (i in a) n++
      for (i = 2; i <= n; i++) { t = a[i] + 0; for (j = i - 1; j > 0 && a[j] + 0 > t; j--) a[j + 1] = a[j]; a[j + 1] = t }
      low = a[1]; high = a[n]
      return n % 2 ? a[(n + 1) / 2] + 0 : (a[n / 2] + a[n / 2 + 1]) / 2
    }
    { if (!($2 in bytes)) { order[++rows] = $2 } bytes[$2] = $5 / $3; speed[$1, $2] = speed[$1, $2] " " $3 / $4 }
    END {
      for (r = 1; r <= rows; r++) {
        row = order[r]
        a = median(speed["A", row]); as = (high - low) / a * 100
        b = median(speed["B", row]); bs = (high - low) / b * 100
        printf "%s %.1f %.0f %.1f %.0f %.3f %d\n", row, a, as, b, bs, b / a, bytes[row]
      }
    }' "$1"
}
