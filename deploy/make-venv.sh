#!/bin/sh
# Makes the virtual environment: deploy/make-venv.sh PYTHON FOLDER. Debian may lack the venv module: as root it is
# installed, otherwise the command that installs it is named.
set -eu
python=$1
folder=$2

command -v "$python" >/dev/null || {
    echo "$python was not found. Install Python 3.11 or newer, on Debian: apt-get install python3" >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$("$python" --version) is too old: FLick needs Python 3.11 or newer. Name one with: make install PYTHON=python3.12" >&2
    exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing python3-venv ..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "Python's venv module is missing. On Debian, as root: apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$python" -m venv "$folder"
