#!/usr/bin/env bash
# Proves that this project runs on a fresh machine: makes a Debian 12 with nothing but python3 and
# apt, copies the committed files into it and runs `./run` there. Needs root and mmdebstrap.
#
#   tests/world/fresh_machine.sh [OPTION...] demo|test|lint|docs|setup [ARGUMENT...]
#   tests/world/fresh_machine.sh [OPTION...] ci          runs .ci/run instead
#
#   --env NAME    pass this variable of the environment on, e.g. PIP_INDEX_URL
#   --bind PATH   show this file or folder inside too, read-only, e.g. own CA certificates
#   --work        copy the files of the working tree, not those of the last commit
#   --folder PATH make the machine there and keep it; given again, it is used as it then is
#
# Inside are: an own /proc, an own process tree (all processes end with the run), /dev/pts, this
# machine's network, resolv.conf and hosts, and what --bind names. Nothing else of this machine.
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
variables=()
shown=()
folder=
files=(git -C "$project" archive HEAD)
while [ $# -gt 0 ]; do
    case $1 in
        --env)    variables+=("$2=${!2}"); shift 2 ;;
        --bind)   shown+=("$2"); shift 2 ;;
        --folder) folder=$2; shift 2 ;;
        --work)   files=(worktree_files); shift ;;
        *)        break ;;
    esac
done
[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/d;s/^# \?//;p}' "$0" >&2; exit 2; }

worktree_files() {
    git -C "$project" ls-files --cached --others --exclude-standard -z |
        tar --directory "$project" --create --null --ignore-failed-read --files-from -
}

make_machine() {
    echo "fresh machine: mmdebstrap in $root"
    mmdebstrap --quiet --mode=root --variant=minbase --include=python3,ca-certificates \
        bookworm "$root" "$(PYTHONPATH="$project/tests" python3 -m world.debian bookworm)"
}

copy_project() {
    mkdir -p "$root/project"
    "${files[@]}" | tar --extract --no-same-owner --directory "$root/project"
}

# Runs in a mount and process namespace of its own; $1 is the machine, "$@" after -- the command.
enter='
    set -e
    root=$1; shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mkdir -p "$root/dev/pts" "$root/outside"
    mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
    ln -sf pts/ptmx "$root/dev/ptmx"
    while [ "$1" != -- ]; do
        if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$(dirname "$root$1")"; touch "$root$1"; fi
        mount --bind "$1" "$root$1"
        mount -o remount,bind,ro "$root$1"
        shift
    done
    shift
    cd "$root"
    pivot_root . outside  # not chroot, in which nobody may make user namespaces
    umount -l /outside
    code=0
    "$@" || code=$?  # not exec: process 1 has to reap orphans, as anywhere
    exit "$code"
'

if [ -n "$folder" ]; then
    mkdir -p "$folder"
    root=$(cd "$folder" && pwd)/machine
else
    folder=$(mktemp -d)
    root=$folder/machine
    trap 'rm -rf --one-file-system "$folder"' EXIT
fi
[ -d "$root" ] || make_machine
copy_project
command=(./run "$@")
[ "$1" != ci ] || command=(.ci/run)
echo "fresh machine: ${command[*]}"
start=$SECONDS
code=0
unshare --mount --propagation private --pid --fork --kill-child \
    sh -c "$enter" enter "$root" /etc/resolv.conf /etc/hosts "${shown[@]}" -- \
    env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "${variables[@]}" sh -c 'cd /project && exec "$@"' sh "${command[@]}" </dev/null || code=$?
echo "fresh machine: ${command[*]} ended with $code after $((SECONDS - start)) s"
exit "$code"
