#!/bin/sh
# Tries `make up` and `make test` on a clean clone in a fresh Debian, as root and as an ordinary user, and reports the times.
#
#   deploy/fresh.sh [up|test|all]      what to try; default all
#
# Needs root (it makes a chroot) and a Debian host. Settings, all optional:
#   FRESH_SUITE  Debian release to try on. Default bookworm.
#   FRESH_USERS  who tries. Default "root tester".
#   FRESH_TESTS  arguments for pytest, such as a folder. Default: every test.
#   FRESH_DIR    folder below which a temporary one is made for the chroots. Default /var/tmp.
#   FRESH_SHOW   folders of this machine that shall be seen inside, read-only, such as a local package index.
#
# This machine's pip settings, proxies and certificate authorities are taken over, so that it also works behind a proxy.
# Mounts and processes live in name spaces of their own: they are gone when it ends, however it ends.
set -eu

what=${1:-all}
suite=${FRESH_SUITE:-bookworm}
users=${FRESH_USERS:-root tester}
show=${FRESH_SHOW:-}
source=$(cd "$(dirname "$0")/.." && pwd)

case $what in up | test | all) ;; *) echo "usage: deploy/fresh.sh [up|test|all]" >&2 && exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "deploy/fresh.sh makes a chroot, which needs root: sudo deploy/fresh.sh" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

# The chroots are mounted and run in name spaces of a child. This process never sees those mounts, and only it deletes:
# what is shown inside is out of the deletion's reach. (`rm --one-file-system` would not do: a bind mount of the same disk
# is the same file system.)
if [ -z "${FRESH_WORK:-}" ]; then
    work=$(mktemp -d "${FRESH_DIR:-/var/tmp}/flick-fresh.XXXXXX")
    chmod 755 "$work"
    clean_up() {
        if grep -qF " $work/" /proc/self/mountinfo; then
            echo "something is mounted below $work: not removed" >&2
        else
            rm -rf "$work"
        fi
    }
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    FRESH_WORK=$work unshare --mount --propagation private --pid --fork --kill-child "$0" "$@"
    exit
fi
[ $$ = 1 ] || { echo "FRESH_WORK is for deploy/fresh.sh alone: unset it" >&2; exit 2; }
work=$FRESH_WORK

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update first" >&2; exit 1; }

make_base() {
    say "making a fresh $suite from $mirror"
    # What a newcomer needs beside git, make and python3 is for `make` to get or to name.
    debootstrap --variant=minbase --include=ca-certificates,git,make,python3 "$suite" "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
}

make_root() { # user -> a chroot with a clean clone in the user's home
    root=$work/$1
    cp -a "$work/base" "$root"
    mount --bind "$root" "$root" # so that the root directory is a mounted file system inside, as on a real machine
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    # The devices that debootstrap made, none of this machine's disks.
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    cp -a "$work/base/dev/." "$root/dev/"
    mkdir -p "$root/dev/pts" "$root/dev/shm"
    mount -t devpts devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    [ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    for folder in $show; do
        mkdir -p "$root$folder"
        mount --bind -o ro "$folder" "$root$folder"
    done
    [ "$1" = root ] || chroot "$root" useradd --create-home --shell /bin/sh "$1"
    git clone --quiet "$source" "$root/clone"
    home=$(chroot "$root" sh -c "echo ~$1")
    mv "$root/clone" "$root$home/flick"
    chroot "$root" chown -R "$1:" "$home/flick"
    cp "$source/deploy/fresh_up.py" "$root/tmp/"
}

inside() { # user command: run it in the clone, with nothing of our environment but proxies and pip's settings
    user=$1
    shift
    home=$(chroot "$work/$user" sh -c "echo ~$user")
    uid=$(chroot "$work/$user" id -u "$user")
    # shellcheck disable=SC2046 - one word for each setting
    env -i $(env | grep -iE '^(PIP_|(https?|no)_proxy=)' | grep -v ' ' || true) \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" USER="$user" LANG=C.UTF-8 \
        chroot --userspec="$uid:$uid" --groups="$uid" "$work/$user" sh -c "cd ~/flick && $*"
}

expect_the_missing_module_to_be_named() {
    if answer=$(inside "$1" make install 2>&1); then
        say "$1: python3-venv is missing, but make install did not say so" && exit 1
    fi
    case $answer in
        *"apt-get install python3-venv"*) say "$1: told to install python3-venv, as it should be" ;;
        *) say "$1: not told what is missing: $answer" && exit 1 ;;
    esac
    chroot "$work/$1" sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv' >/dev/null
}

make_base
for user in $users; do
    make_root "$user"
    [ "$user" = root ] || expect_the_missing_module_to_be_named "$user"
    if [ "$what" != test ]; then
        say "$user: make up on a fresh machine"
        inside "$user" python3 /tmp/fresh_up.py
        say "$user: make up on a warm one"
        inside "$user" python3 /tmp/fresh_up.py
    fi
    if [ "$what" != up ]; then
        say "$user: make test"
        start=$(date +%s)
        inside "$user" make test "ARGS='${FRESH_TESTS:-}'"
        say "$user: make test passed in $(($(date +%s) - start)) s"
    fi
done
say "all is well"
