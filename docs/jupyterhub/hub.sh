#!/usr/bin/env bash
# Run a hub for a class, as root in the hub's folder, which contains logins.txt with one login name per line:
#
#   hub.sh add            create the missing accounts, with first passwords in passwords.txt, and copy the notebooks
#   hub.sh start          start the hub in the background; `kill $(cat hub.pid)` stops it. Two variables change it:
#                         BIND=http://127.0.0.1:9000 the address, and CUDA_VISIBLE_DEVICES=0 shows the GPU
#   hub.sh servers        start the server of each student, before class
#   hub.sh collect LAB    copy each student's notebook, such as 03_srgan, into handed_in/, unless it's there already
set -euo pipefail

LARGEST=50M # of a notebook; a sparse file can have any size
PATIENCE=60 # seconds for what runs as a student, who can stop it, or replace a file with a pipe
COURSE=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
[ -e logins.txt ] || {
    echo "logins.txt not found. Run this in the hub's folder, which contains the list of login names." >&2
    exit 2
}
mapfile -t names < <(sed '1s/^\xef\xbb\xbf//' logins.txt | grep -oE '[^[:space:]]+') # without what Windows editors add
for name in "${names[@]}"; do
    [[ $name =~ ^[[:alnum:]_][[:alnum:]_.@-]*$ ]] || {
        echo "${name@Q} in logins.txt is not a login name. Use letters, digits, _ . @ and -, and begin with no sign." >&2
        exit 2
    }
done

home_of() { getent passwd "$1" | cut -d: -f6 | grep . || echo "/home/$1"; }
failed() { echo "$1" >&2 && status=1; }
# A student can control a process that runs as her, so it gets pipes, and nothing of root's terminal or environment.
# Root limits how long it may run, and how much it may write, because she can stop a process that is hers, or let it
# write without end.
as() {
    env -i PATH="$PATH" timeout "$PATIENCE" setsid --wait runuser -u "$1" -- "${@:2}" </dev/null \
        2> >(timeout "$PATIENCE" head -c 10K | cat -v >&2) | timeout "$PATIENCE" head -c "$LARGEST"
}

# An account may exist already, with its home directory anywhere, so every account without the notebooks gets them.
add() {
    for name in "${names[@]}"; do
        if ! id "$name" >/dev/null 2>&1; then
            useradd --create-home --shell /bin/bash "$name" || { status=1 && continue; }
            chmod 700 "$(home_of "$name")" # other students cannot read it
            echo "$name:$(openssl rand -hex 6)" | tee -a passwords.txt | chpasswd
        fi
        notebooks=$(home_of "$name")/notebooks
        if as "$name" test -e "$notebooks/recipes"; then continue; fi
        echo "$name: copying the notebooks to $notebooks"
        as "$name" cp -rnT "$COURSE/notebooks" "$notebooks" || failed "$name: not all notebooks were copied."
    done
}

start() {
    if [ -e hub.pid ] && kill -0 "$(cat hub.pid)" 2>/dev/null; then
        echo 'The hub runs already. To stop it, run: kill $(cat hub.pid)' >&2 && exit 2
    fi
    [ -e token ] || openssl rand -hex 32 >token
    export PATH=$PWD/env/bin:$PWD/node_modules/.bin:$PATH CLASS_TOKEN
    CLASS_TOKEN=$(cat token)
    nohup jupyterhub -f "$COURSE/docs/jupyterhub/class.py" >hub.log 2>&1 &
    echo $! >hub.pid
}

# The hub starts three at a time, and rejects the others until it has room, so each is tried again. The token may start
# anyone's server, so it goes to the hub directly, never to a proxy.
servers() {
    for name in "${names[@]}"; do
        answer=$(echo "Authorization: token $(cat token)" | curl --noproxy "*" --silent --show-error --max-time "$PATIENCE" --retry 50 -H @- \
            -X POST --write-out "%{http_code}" "${BIND:-http://127.0.0.1:8000}/hub/api/users/$name/server") || answer=
        case $answer in
        *20[12] | *"already running"*) ;;
        *) failed "$name's server was not started. $answer" ;;
        esac
    done
}

# Students own their notebooks, and may have replaced one with a link to any file, so root must not open it. What was
# collected in time stays, also if a student saves again; move it away to collect another.
collect() {
    for name in "${names[@]}"; do
        file=$(home_of "$name")/notebooks/$1.ipynb kept=handed_in/$name/$1.ipynb
        if [ -e "$kept" ]; then
            echo "$kept was collected before."
        elif as "$name" test -f "$file"; then
            mkdir -p "handed_in/$name"
            { as "$name" cat "$file" >"$kept.part" && mv "$kept.part" "$kept"; } || {
                rm -f "$kept.part"
                failed "$name's file cannot be read, or has more than $LARGEST."
            }
        else
            failed "$name has no file $file."
        fi
    done
}

umask 077 # only root can read passwords, the token, the log and submissions
status=0
case "${1:-} $#" in
"add 1" | "start 1" | "servers 1" | "collect 2") "$@" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
exit $status
