# Shared by ./tessera, ./check, ./bench and CI. Source it; it defines functions and changes nothing by itself:
#
#   . "$root/scripts/lib.sh"
#   tessera_find_jdk                          # exports JAVA_HOME of a JDK >= 25, or ends with what to do
#   tessera_find_maven                        # sets TESSERA_MVN, installing Maven where it may
#   tessera_need_packages fuse3:fusermount3 fio:fio libfuse3-dev:/usr/include/fuse3/fuse.h
#   tessera_build ROOT                        # brings ROOT/.tessera-build/current up to date with the sources
#
# Bash only. All messages go to stderr, so that the output of the command behind the script stays clean.

# The lowest JDK that can build and run TesseraFS.
TESSERA_JDK_MIN=25

tessera_say() { printf 'tessera: %s\n' "$*" >&2; }

tessera_die() {
  tessera_say "$@"
  exit 1
}

# Prints the major version of the JDK in directory $1, from its "release" file: no JVM has to start for that.
tessera_jdk_major() {
  local line
  [[ -x $1/bin/java && -x $1/bin/javac && -r $1/release ]] || return 1
  while IFS= read -r line; do
    if [[ $line =~ ^JAVA_VERSION=\"([0-9]+) ]]; then
      printf '%s\n' "${BASH_REMATCH[1]}"
      return 0
    fi
  done <"$1/release"
  return 1
}

# Prints the first JDK >= TESSERA_JDK_MIN among JAVA_HOME, /usr/lib/jvm/* (newest first) and the java on PATH.
tessera_search_jdk() {
  local dir major best='' best_major=0 on_path
  if [[ -n ${JAVA_HOME:-} ]] && major=$(tessera_jdk_major "$JAVA_HOME") && ((major >= TESSERA_JDK_MIN)); then
    printf '%s\n' "$JAVA_HOME"
    return 0
  fi
  for dir in /usr/lib/jvm/*/ /opt/java/*/ "${HOME:-/nonexistent}"/.sdkman/candidates/java/*/; do
    dir=${dir%/}
    if major=$(tessera_jdk_major "$dir") && ((major >= TESSERA_JDK_MIN && major > best_major)); then
      best=$dir best_major=$major
    fi
  done
  if [[ -z $best ]] && on_path=$(command -v java) && on_path=$(readlink -f "$on_path"); then
    dir=${on_path%/bin/java}
    if major=$(tessera_jdk_major "$dir") && ((major >= TESSERA_JDK_MIN)); then best=$dir; fi
  fi
  [[ -n $best ]] && printf '%s\n' "$best"
}

# Exports JAVA_HOME. Where there is no suitable JDK: installs Debian's, if it has one and we may; else ends.
tessera_find_jdk() {
  local found
  if found=$(tessera_search_jdk); then
    export JAVA_HOME=$found
    return 0
  fi
  if tessera_can_install && tessera_apt_has "openjdk-$TESSERA_JDK_MIN-jdk-headless"; then
    tessera_apt_install "openjdk-$TESSERA_JDK_MIN-jdk-headless"
    if found=$(tessera_search_jdk); then
      export JAVA_HOME=$found
      return 0
    fi
  fi
  tessera_die "no JDK $TESSERA_JDK_MIN or newer found (looked at JAVA_HOME, /usr/lib/jvm and PATH). Install one, for" \
    "example Eclipse Temurin from https://adoptium.net/installation/linux, or set JAVA_HOME."
}

# True if packages can be installed here without asking anybody: root on Debian or a relative of it.
# TESSERA_NO_INSTALL=1 says not to.
tessera_can_install() {
  [[ ${TESSERA_NO_INSTALL:-0} != 1 && $EUID -eq 0 ]] && command -v apt-get >/dev/null && [[ -e /etc/debian_version ]]
}

# True if apt knows package $1; reads the package lists anew where they are missing.
tessera_apt_has() {
  apt-cache show "$1" >/dev/null 2>&1 && return 0
  [[ -n $(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null) ]] && return 1
  tessera_apt_update
  apt-cache show "$1" >/dev/null 2>&1
}

tessera_apt_update() {
  tessera_say "apt-get update"
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 update >&2
}

# Installs the packages named. Lists are fetched only if they are missing or too old for the download.
tessera_apt_install() {
  local log status
  log=$(mktemp) || return 1
  tessera_say "apt-get install $*"
  tessera_apt_run "$@" >"$log" 2>&1 && status=0 || status=$?
  if ((status != 0)); then
    tessera_apt_update
    tessera_apt_run "$@" >"$log" 2>&1 && status=0 || status=$?
  fi
  ((status == 0)) || tail -n 20 "$log" >&2
  rm -f "$log"
  ((status == 0)) || tessera_die "apt-get install $* failed"
}

tessera_apt_run() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 --no-install-recommends install "$@"
}

# Arguments PACKAGE:COMMAND or PACKAGE:/ABSOLUTE/FILE. What is missing gets installed (root on Debian/Ubuntu), otherwise
# the script ends with the exact command that would install it.
tessera_need_packages() {
  local spec package probe missing=() lacking=()
  for spec in "$@"; do
    package=${spec%%:*} probe=${spec#*:}
    if [[ $probe == /* ]]; then
      [[ -e $probe ]] && continue
    else
      command -v "$probe" >/dev/null && continue
    fi
    missing+=("$package") lacking+=("$probe")
  done
  ((${#missing[@]} == 0)) && return 0
  tessera_can_install || tessera_die "missing: ${lacking[*]}. On Debian or Ubuntu: sudo apt-get install ${missing[*]}"
  tessera_apt_install "${missing[@]}"
}

# Sets TESSERA_MVN. Debian's maven is enough; MAVEN_HOME wins.
tessera_find_maven() {
  if [[ -n ${MAVEN_HOME:-} && -x $MAVEN_HOME/bin/mvn ]]; then
    TESSERA_MVN=$MAVEN_HOME/bin/mvn
    return 0
  fi
  tessera_need_packages maven:mvn
  TESSERA_MVN=$(type -P mvn) # not command -v: a caller may have a function of that name
}

# Prints why a build is needed, or nothing if ROOT/.tessera-build/current is newer than every source. One find, no JVM.
tessera_build_reason() {
  local root=$1 stamp=$1/.tessera-build/current/stamp
  if [[ ! -e $stamp ]]; then
    printf 'first build; it downloads libraries and may take a few minutes'
    return 0
  fi
  # Directories count too: their times change when a file is deleted or renamed.
  if [[ -n $(find "$root"/pom.xml "$root"/{rdma-fabric,coherence,fs-fuse,fs-node}/{pom.xml,src/main} \
    -newer "$stamp" -print -quit 2>/dev/null) ]]; then
    printf 'sources have changed'
  fi
}

# Builds ROOT if needed into ROOT/.tessera-build/dist-TIME, then points "current" there. A distribution never changes
# once it is current: a running daemon loads classes from its own for as long as it lives.
tessera_build() {
  local root=$1 reason
  reason=$(tessera_build_reason "$root")
  [[ -z $reason ]] && return 0
  tessera_find_jdk
  mkdir -p "$root/.tessera-build" || tessera_die "cannot write to $root"
  (
    exec 9>"$root/.tessera-build/lock"
    if ! flock -n 9; then
      tessera_say "another build is running; waiting for it"
      flock 9
    fi
    reason=$(tessera_build_reason "$root")
    [[ -z $reason ]] || tessera_build_locked "$root" "$reason"
  ) || exit 1
}

tessera_build_locked() {
  local root=$1 reason=$2 build=$1/.tessera-build dist began
  tessera_find_maven
  tessera_say "building ($reason)"
  began=$build/began
  : >"$began"
  rm -rf "$root"/fs-node/target/lib "$root"/fs-node/target/fs-node-*.jar
  if ! (cd "$root" && "$TESSERA_MVN" -q -B -ntp -Dmaven.test.skip=true -pl fs-node -am package 9>&-) \
    >"$build/build.log" 2>&1; then
    grep -E '^\[ERROR\]' "$build/build.log" | sed '/Help 1/,$d' | sed -n 1,20p >&2
    tessera_die "the build failed; all of its output is in $build/build.log"
  fi
  dist=$build/dist-$(date +%Y%m%d-%H%M%S)-$$
  mkdir -p "$dist" || return 1
  cp "$root"/fs-node/target/lib/*.jar "$root"/fs-node/target/fs-node-*.jar "$dist/" || return 1
  printf '%s\n' "$JAVA_HOME" >"$dist/jdk"
  # The stamp carries the time the build began: what is edited during the build is built next time.
  mv "$began" "$dist/stamp" || return 1
  cp "$root/fs-node/src/main/resources/io/tesserafs/node/daemon/jvm.options" "$dist/" || return 1
  tessera_train "$dist" >"$dist/training.log" 2>&1
  ln -sfn "${dist##*/}" "$build/current.new" && mv -fT "$build/current.new" "$build/current" || return 1
  tessera_drop_old_builds "$build" "$dist"
}

# Sets "class_path" for the distribution in directory $1, always in the same order: the AOT caches depend on it.
tessera_class_path() {
  local jars=("$1"/*.jar)
  local IFS=:
  class_path="${jars[*]}"
}

# JVM options of commands (those of the daemon are in jvm.options).
tessera_cli_options=(-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms16m -Xmx256m -XX:-UsePerfData
  --enable-native-access=ALL-UNNAMED)

# Makes the ahead-of-time caches of the distribution in directory $1, for fast starts: one for commands, one for the
# daemon. They are an optimisation, so a failure here is no failure of the build.
tessera_train() {
  local dist=$1 class_path options
  tessera_class_path "$dist"
  "$JAVA_HOME/bin/java" "${tessera_cli_options[@]}" "-XX:AOTCacheOutput=$dist/cli.aot" -cp "$class_path" \
    io.tesserafs.node.cli.Training commands || rm -f "$dist/cli.aot"
  mapfile -t options <"$dist/jvm.options"
  "$JAVA_HOME/bin/java" "${options[@]}" "-XX:AOTCacheOutput=$dist/daemon.aot" -cp "$class_path" \
    io.tesserafs.node.cli.Training daemon || rm -f "$dist/daemon.aot"
  return 0
}

# Deletes the distributions that no process runs from.
tessera_drop_old_builds() {
  local build=$1 keep=$2 old
  for old in "$build"/dist-*/; do
    old=${old%/}
    [[ $old == "$keep" ]] && continue
    grep -qsaF -- "$old/" /proc/[0-9]*/cmdline || rm -rf -- "$old"
  done
}
