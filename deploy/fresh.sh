#!/bin/sh
# Tries `make up` and `make test` on a clean clone in a fresh Debian, as root and as an ordinary user, and reports the times.
#
#   deploy/fresh.sh [up|test|all]      what to try; default all
#
# Needs root (it makes a chroot) and a Debian host. Settings, all optional:
#   FRESH_SUITE  Debian release to try on. Default bookworm.
#   FRESH_USERS  who tries. Default "root tester".
#   FRESH_DIR    where the chroots are made; removed at the end. Default a temporary folder.
#   FRESH_SHOW   folders of this machine that shall be seen inside, such as a local package index.
#
# This machine's pip settings, proxies and certificate authorities are taken over, so that it also works behind a proxy.
# Everything runs in name spaces of its own: mounts and processes are gone when it ends, however it ends.
set -eu

what=${1:-all}
suite=${FRESH_SUITE:-bookworm}
users=${FRESH_USERS:-root tester}
show=${FRESH_SHOW:-}
source=$(cd "$(dirname "$0")/.." && pwd)

case $what in up | test | all) ;; *) echo "usage: deploy/fresh.sh [up|test|all]" >&2 && exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "deploy/fresh.sh makes a chroot, which needs root: sudo deploy/fresh.sh" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

# Mounts and processes live in name spaces of their own from here on.
[ "${FRESH_INSIDE:-}" = yes ] || exec env FRESH_INSIDE=yes unshare --mount --pid --fork --kill-child "$0" "$@"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update first" >&2; exit 1; }

work=${FRESH_DIR:-$(mktemp -d /var/tmp/flick-fresh.XXXXXX)}
chmod 755 "$work"
# One file system only: should a mount have stayed behind, what it shows must survive.
trap 'umount --recursive --lazy "$work"/*/proc "$work"/*/dev 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

make_base() {
    say "making a fresh $suite from $mirror"
    # What a newcomer needs beside git, make and python3 is for `make` to get or to name.
    debootstrap --variant=minbase --include=ca-certificates,git,make,python3 "$suite" "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
}

make_root() { # user -> a chroot with a clean clone in the user's home
    root=$work/$1
    cp -a "$work/base" "$root"
    for part in dev dev/pts dev/shm proc; do mkdir -p "$root/$part"; done
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
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
        inside "$user" make test
        say "$user: make test passed in $(($(date +%s) - start)) s"
    fi
done
say "all is well"
