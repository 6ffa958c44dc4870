#!/usr/bin/env bash
# Run a hub for a class, as root in the hub's folder, which contains logins.txt with one login name per line:
#
#   hub.sh add            create the missing accounts, with the notebooks, and first passwords in passwords.txt
#   hub.sh start          start the hub in the background; `kill $(cat hub.pid)` stops it. Two variables change it:
#                         BIND=http://127.0.0.1:9000 the address, and CUDA_VISIBLE_DEVICES=0 shows the GPU
#   hub.sh servers        start the server of each student, before class
#   hub.sh collect LAB    copy each student's notebook, such as 03_srgan, into handed_in/
set -euo pipefail

COURSE=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
[ -e logins.txt ] || {
    echo "logins.txt not found. Run this in the hub's folder, which contains the list of login names." >&2
    exit 2
}
mapfile -t names < <(sed '1s/^\xef\xbb\xbf//' logins.txt | grep -oE '[^[:space:]]+') # without what Windows editors add

add() {
    (umask 077 && touch passwords.txt)
    for name in "${names[@]}"; do
        if id "$name" >/dev/null 2>&1; then continue; fi
        useradd --create-home --shell /bin/bash "$name" || continue
        chmod 700 "/home/$name" # other students cannot read it
        echo "$name:$(openssl rand -hex 6)" | tee -a passwords.txt | chpasswd
        runuser -u "$name" -- cp -r "$COURSE/notebooks" "/home/$name/"
    done
}

start() {
    [ -e token ] || (umask 077 && openssl rand -hex 32 >token)
    export PATH=$PWD/env/bin:$PWD/node_modules/.bin:$PATH CLASS_TOKEN
    CLASS_TOKEN=$(cat token)
    nohup jupyterhub -f "$COURSE/docs/jupyterhub/class.py" >hub.log 2>&1 &
    echo $! >hub.pid
}

# The hub starts three at a time, and rejects the others until it has room, so each is tried again.
servers() {
    for name in "${names[@]}"; do
        echo "Authorization: token $(cat token)" |
            curl --silent --show-error --retry 50 -H @- -X POST "${BIND:-http://127.0.0.1:8000}/hub/api/users/$name/server"
    done
}

# Students own their notebooks, and may have replaced one with a link to any file, so root must not open it.
collect() {
    umask 077
    for name in "${names[@]}"; do
        file=/home/$name/notebooks/$1.ipynb
        runuser -u "$name" -- test -f "$file" || continue
        mkdir -p "handed_in/$name"
        runuser -u "$name" -- cat "$file" >"handed_in/$name/$1.ipynb" || echo "$name's file cannot be read." >&2
    done
}

case "${1:-} $#" in
"add 1" | "start 1" | "servers 1" | "collect 2") "$@" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
