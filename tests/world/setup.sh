# Sourced by ./run in the project's folder: the steps that put everything in place.
# Each step does nothing when its result is there, says in one line what it does, and stops the
# run with one sentence when it cannot.

export PATH="$PWD/.world/bin:$PATH"

say() { echo "run: $*"; }

stop() {
    echo "run: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        stop "this needs root, and there is no sudo: $*"
    fi
}

# Install the named Debian packages that are not installed.
packages() {
    local package missing=()
    if ! command -v apt-get >/dev/null; then
        say "this machine has no apt-get; using what is there instead of Debian's: $*"
        return
    fi
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
            grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    say "apt-get install ${missing[*]}"
    package_lists
    DEBIAN_FRONTEND=noninteractive as_root apt-get install --quiet=2 --yes \
        --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null >/dev/null ||
        stop "apt-get could not install ${missing[*]}; its messages are above"
}

# Fetch apt's package lists, once in a run.
package_lists() {
    [ -n "${lists_are_new:-}" ] && return
    as_root apt-get update --quiet=2 </dev/null ||
        stop "apt-get update failed; its messages are above"
    lists_are_new=yes
}

# Make .venv with the project (in place, all extras) and the named dependency groups.
virtual_environment() {
    local group wanted state=.venv/installed
    wanted=$(sha256sum pyproject.toml | cut -c -16)
    .venv/bin/python -c '' 2>/dev/null || {
        say "python3 -m venv .venv"
        python3 -m venv --clear .venv || stop "python3 cannot make a virtual environment"
    }
    [ "$(head -n 1 "$state" 2>/dev/null)" = "$wanted" ] || rm -f "$state"
    local groups=()
    for group in "$@"; do
        grep -qsx "$group" "$state" || groups+=("$group")
    done
    [ -f "$state" ] && [ ${#groups[@]} = 0 ] && return
    say "pip install -e '.[all]'${groups[*]/#/ --group=}"
    .venv/bin/python -m pip install --quiet 'pip>=25.1' &&
        .venv/bin/python -m pip install --quiet -e '.[all]' "${groups[@]/#/--group=}" ||
        stop "pip could not install the project and its libraries; its messages are above"
    [ -f "$state" ] || echo "$wanted" >"$state"
    for group in "${groups[@]}"; do echo "$group" >>"$state"; done
}

# Put a knotd on PATH without installing it: as a package it would serve port 53 of this machine.
private_knot() {
    local tree=$PWD/.world/knot program=$PWD/.world/bin/knotd installed libraries
    knotd --version >/dev/null 2>&1 && return
    mkdir -p .world/bin
    rm -f "$program"
    installed=$(PATH="$PATH:/usr/sbin" command -v knotd || true)
    if [ -n "$installed" ]; then
        ln -sf "$installed" "$program"
        return
    fi
    command -v apt-get >/dev/null || stop "knotd is not on PATH; install Knot DNS"
    say "unpacking Knot DNS into .world/knot"
    unpack knot "$tree" || stop "apt-get could not download Knot DNS; its messages are above"
    libraries=$(dirname "$(find "$tree/usr/lib" -name 'libknot.so.*' -print -quit)")
    cat >"$program" <<TEXT
#!/bin/sh
LD_LIBRARY_PATH=$libraries:$tree${libraries#"$tree/usr"} exec $tree/usr/sbin/knotd "\$@"
TEXT
    chmod +x "$program"
    "$program" --version >/dev/null || stop "the unpacked $program does not start"
}

# Unpack a Debian package into a folder, and with it what it depends on and is not installed.
unpack() {
    rm -rf "$2"
    mkdir -p "$2/packages/partial"
    download "$1" "$2/packages" || { package_lists && download "$1" "$2/packages"; } || return
    find "$2/packages" -name '*.deb' -exec dpkg -x {} "$2" \;
}

download() {
    apt-get install --quiet=2 --yes --no-install-recommends --download-only \
        -o Debug::NoLocking=true -o APT::Sandbox::User=root -o Dir::Cache::archives="$2" \
        "$1" </dev/null
}

# Put an sshd on PATH without installing it: as a package it would serve port 22 of this machine.
private_sshd() {
    local tree=$PWD/.world/sshd program=$PWD/.world/bin/sshd
    [ -x /usr/sbin/sshd ] || [ -x "$program" ] && return
    if ! command -v apt-get >/dev/null; then
        say "sshd is not installed; tests that need it will be skipped"
        return
    fi
    say "unpacking OpenSSH's server into .world/sshd"
    mkdir -p .world/bin
    unpack openssh-server "$tree" || stop "apt-get could not download sshd; its messages are above"
    cat >"$program" <<TEXT
#!/bin/sh
export LD_LIBRARY_PATH=$(find "$tree" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd :)
exec $tree/usr/sbin/sshd "\$@"
TEXT
    chmod +x "$program"
}

# Put Consul on PATH. Debian 11 was the last with a package of it; its program needs only libc.
private_consul() {
    local tree=$PWD/.world/consul program=$PWD/.world/bin/consul
    consul version >/dev/null 2>&1 && return
    mkdir -p .world/bin
    rm -f "$program"
    if ! command -v apt-get >/dev/null; then
        say "consul is not on PATH; tests that need it will be skipped"
        return
    fi
    say "unpacking Consul into .world/consul"
    unpack_from bullseye consul "$tree" || {
        say "apt-get could not download Consul; tests that need it will be skipped"
        return
    }
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$tree/usr/bin/consul" >"$program"
    chmod +x "$program"
    "$program" version >/dev/null || stop "the unpacked $program does not start"
}

# Two versions of Kubernetes' own command, each in a tree of its own and on nobody's PATH.
private_kubectl() {
    local suite tree
    command -v apt-get >/dev/null || {
        say "there is no apt-get to fetch kubectl; tests that need it will be skipped"
        return
    }
    for suite in trixie sid; do
        tree=$PWD/.world/kubectl-$suite
        "$tree/usr/bin/kubectl" version --client >/dev/null 2>&1 && continue
        say "unpacking kubectl of Debian $suite into .world/kubectl-$suite"
        unpack_from "$suite" kubectl "$tree" ||
            say "apt-get could not download kubectl; tests that need it will be skipped"
    done
}

# Unpack one package of another Debian suite into a folder, without what it depends on.
unpack_from() {
    rm -rf "$3"
    mkdir -p "$3/lists/partial" "$3/cache/archives/partial"
    PYTHONPATH=tests python3 -m world.debian "$1" >"$3/sources.list" &&
        download_from "$3" "$2" &&
        dpkg -x "$3/cache/archives/$2"_*.deb "$3"
}

# With package lists of its own, so that this machine's stay as they are, and as if nothing were
# installed here. The newest suite's index is at times past its date on a mirror.
download_from() {
    local options=(
        -o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$1/lists" -o "Dir::Cache=$1/cache"
        -o Dir::State::status=/dev/null -o Acquire::Check-Valid-Until=false
        -o Debug::NoLocking=true -o APT::Sandbox::User=root --quiet=2
    )
    apt-get "${options[@]}" update </dev/null &&
        (cd "$1/cache/archives" && apt-get "${options[@]}" download "$2" </dev/null)
}

# Other Erlang releases and servers; the tests that need one which is not there are skipped by name.
other_releases() {
    if [ "$(id -u)" != 0 ] || ! command -v mmdebstrap >/dev/null; then
        say "other Erlang releases and RabbitMQ need root and mmdebstrap; tests that need them will be skipped"
        return
    fi
    PYTHONPATH=tests .venv/bin/python -m world.releases ||
        say "not every Erlang release could be built; tests that need the others will be skipped"
    PYTHONPATH=tests .venv/bin/python -m world.erlang_servers ||
        say "the tests that need them will be skipped"
}
