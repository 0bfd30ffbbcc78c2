/**
 * The guardian's program: a POSIX shell script, because a shell is small (1 MB), starts in a millisecond and is there
 * on every system that runs tasks.
 *
 * Arguments: $1 grace in tenths of a second, $2 the run's token. Standard input: one message a line,
 *   `? n`      a process with the token `$2/n.` in its environment is about to be started
 *   `+ n g`    it was, and leads the group g
 *   `= n p`    it was, as process p in the group of Kahn itself (an interactive one)
 *   `! n`      it was not
 *   `- g`      the group g is quiet;   `~ n p`  the interactive process is gone
 *   `m r`      processes may bear marks of the runner r: see `marked-processes.ts`
 *   `q`        all is done: leave at once
 * End of file without `q` means that Kahn died. The forked child of a dying Kahn holds the other end of the pipe until
 * its `exec`, so end of file also says that whatever was announced now shows its token in /proc.
 *
 * Only POSIX: no `local`, no arrays, no `[[`; signals by `-s`, because dash refuses `kill -0 -- -7`. Tested with dash and bash.
 */

/** Name of the variable that carries the token into every process. */
export const TOKEN_VARIABLE = "KAHN_PROCESS";

/** The script for `sh -c`. */
export const GUARDIAN_SCRIPT = `
# A signal to the terminal's foreground group, or to everything of a session, must not end the guardian first.
trap '' HUP INT QUIT TERM PIPE TSTP TTIN TTOU
grace=$1 token=$2
pending=' ' groups=' ' solo=' ' pids=' ' marks=' '

# kept = the list $1 without the word $2
without() {
  case $1 in
    *" $2 "*) kept="\${1%% $2 *} \${1#* $2 }" ;;
    *) kept=$1 ;;
  esac
}

# state and group of the process $1, from /proc; false when it is gone or there is no /proc
look() {
  line=
  { read -r line <"/proc/$1/stat"; } 2>/dev/null
  # The name, in parentheses, may hold anything but the last ") ".
  case $line in *') '*) ;; *) return 1 ;; esac
  set -- \${line##*) }
  state=$1 group=$3
}

# Sends $1 to the processes so far known.
signal() {
  for g in $groups; do kill -s "$1" -- "-$g"; done
  for p in $pids; do kill -s "$1" "$p"; done
}

# Finds by their token the processes that were announced and never registered, and interactive ones with their kin.
collect() {
  for n in $pending; do
    for file in $(grep -l -s -F -e "${TOKEN_VARIABLE}=$token/$n." /proc/[0-9]*/environ); do
      p=\${file#/proc/}
      look "\${p%/environ}" || continue
      case $groups in *" $group "*) continue ;; esac
      groups="$groups$group "
      kill -s TERM -- "-$group"
    done
  done
  for n in $solo; do
    for file in $(grep -l -s -F -e "${TOKEN_VARIABLE}=$token/\${n%:*}." /proc/[0-9]*/environ); do
      p=\${file#/proc/} p=\${p%/environ}
      case $pids in *" $p "*) continue ;; esac
      pids="$pids$p "
      kill -s TERM "$p"
    done
  done
}

# True while one of the processes $1, or of the groups $2, lives. A zombie takes signals and is dead all the same, and
# where nothing waits for orphans (a container without an init) it stays; so /proc decides where there is one.
busy_among() {
  for p in $1; do
    kill -s 0 "$p" && { look "$p" || return 0; } && [ "$state" != Z ] && return 0
  done
  for g in $2; do
    kill -s 0 -- "-$g" || continue
    [ -r /proc/self/stat ] || return 0
    # State and group follow the name. 1: none; 2: none, and a process ended meanwhile; more: there is no grep.
    grep -q -s -e ") [^ZXx] [0-9]* $g " /proc/[0-9]*/stat
    case $? in 1 | 2) ;; *) return 0 ;; esac
  done
  return 1
}

# Asked twice, since a process may start another one and end while the list is read.
busy() { busy_among "$pids" "$groups" || busy_among "$pids" "$groups"; }

# Waits for quiet, at most $1 tenths of a second; false when there is none.
await_quiet() {
  ticks=0
  while collect; busy; do
    [ "$ticks" -ge "$1" ] && return 1
    # Fractions are not POSIX; where sleep refuses them, whole seconds.
    if sleep 0.1; then ticks=$((ticks + 1)); else sleep 1; ticks=$((ticks + 10)); fi
  done
}

# Sends $1 to what has left its group and bears a mark.
signal_marked() {
  for m in $marks; do
    for file in $(grep -l -s -e "^Max file locks  *[^ ]*  *$m[0-9][0-9][0-9][0-9][0-9][0-9] " /proc/[0-9]*/limits); do
      p=\${file#/proc/}
      kill -s "$1" "\${p%/limits}"
    done
  done
}

while read -r op a b; do
  case $a$b in *[!0-9]*) continue ;; esac
  case $op in
    '?') pending="$pending$a " ;;
    '+') without "$pending" "$a"; pending=$kept; [ "$b" -gt 1 ] && groups="$groups$b " ;;
    '=') without "$pending" "$a"; pending=$kept; [ "$b" -gt 1 ] && solo="$solo$a:$b " ;;
    '!') without "$pending" "$a"; pending=$kept ;;
    '-') without "$groups" "$a"; groups=$kept ;;
    '~') without "$solo" "$a:$b"; solo=$kept ;;
    m) marks="$marks$a " ;;
    q) exit 0 ;;
  esac
done

exec </dev/null
[ "$pending$groups$solo" = '   ' ] && exit 0
# Without /proc an interactive process is known by its number only.
[ -r /proc/self/environ ] || for n in $solo; do pids="$pids\${n#*:} "; done
signal TERM
# A stopped process heeds TERM only when it goes on.
signal CONT
collect
# A program that was just being loaded shows its environment an instant later.
[ "$pending" = ' ' ] || sleep 0.1
await_quiet "$grace" || { signal KILL; await_quiet 50; }
# Stopped first, and twice, so that none of them starts another one meanwhile.
[ "$marks" = ' ' ] || for s in STOP STOP KILL; do signal_marked "$s"; done
exit 0
`;
