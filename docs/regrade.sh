#!/usr/bin/env bash
# Execute a class's submissions with seconds of training, and grade the results: regrade.sh FOLDER [CLASS_LIST]
#
# This runs students' code, so use a virtual machine or a container, as root. Each notebook is executed by an account
# without rights, sees none of the others, and ends with all of its processes. The executed copies are in `executed`,
# and the gradebook is executed.csv. A cell may take 2 minutes, a notebook 30, and a
# student's notebooks together 2 hours.
set -euo pipefail

folder=${1:?Pass the folder of the submissions.}
course=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
export PATH=$course/.venv/bin:$PATH
work=$(mktemp -d)
chmod 711 "$work" # the account enters it once, below
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
umask 077         # the account cannot read what root writes
ulimit -f 1048576 # KiB per file
lab=$work

# A command has its own folder in place of /tmp and /var/tmp, and empty ones in place of the submissions and the places
# of temporary files, so it finds no file that another has left for it, unless this system has more folders in which
# every account may write. It can read whatever every account can. When its first process ends, Linux ends the others.
# This one is a shell of root, which the command cannot keep alive. Without `exit`, Bash would replace it with the
# command. Neither Linux nor systemd uses the number of the account.
alone() {
    timeout --foreground --kill-after 1 30m \
        unshare --mount --pid --ipc --fork --kill-child --mount-proc bash -c '
            for place in "$1" /run /dev/shm /dev/mqueue; do
                [ ! -d "$place" ] || mount -t tmpfs tmpfs "$place" || exit
            done
            shift
            mount --bind "$0" /tmp && mount --bind /tmp /var/tmp &&
                setsid --wait setpriv --reuid 60706 --regid 60706 --clear-groups --no-new-privs \
                    env -i -C /tmp PATH="$PATH" HOME=/tmp SRLAB_HOME=/tmp/runs "$@"
            exit' "$lab" "$folder" "$@" </dev/null
}

# Only what is executed here may count: saved results may be forged, so a notebook loses them first, or its copy is empty.
prepare() {
    alone python -c '
from pathlib import Path

import nbformat
from srlab_course.notebook_files.editable import read_notebook

notebook = read_notebook(Path("submitted.ipynb"))  # as srlab grade reads it
for cell in notebook.cells:
    cell.pop("outputs", None)
    if cell.cell_type == "code":
        cell.outputs = []
nbformat.write(notebook, "empty.ipynb")' &&
        alone papermill --prepare-only --log-level ERROR -k python3 -l python -p recipe smoke empty.ipynb lab.ipynb
}
# Most kernels of students have other names than the course's. No kernel listens on TCP, where a student could have used
# up all ports for a minute, since they stay taken after her processes have ended.
execute() {
    alone jupyter nbconvert --to notebook --execute --allow-errors --ExecutePreprocessor.kernel_name=python3 \
        --KernelManager.transport=ipc \
        --ExecutePreprocessor.timeout=120 --ExecutePreprocessor.interrupt_on_timeout=True --stdout lab.ipynb
}
# A student's process can write into the executed copy, whose outputs may be forged anyway. But its cells must be those
# that were handed in, because you look at these.
same_cells() {
    python -I -c '
import json
import sys

cells = lambda path: [(cell["cell_type"], "".join(cell["source"])) for cell in json.load(open(path, "rb"))["cells"]]
sys.exit(cells(sys.argv[1]) != cells(sys.argv[2]))' "$1" "$2"
}
last_line() { tail -c 500 "$1" | tail -n 1 | tr -cd '[:print:]'; }

alone true || {
    echo "Run this as root with the right to mount folders (CAP_SYS_ADMIN), as in a virtual machine." >&2
    exit 2
}
alone python -c "import srlab_course" || {
    echo "The course and its Python must be where every account can read them, such as /opt, and not in /tmp." >&2
    exit 2
}
if [ -e executed ] || [ -e executed.csv ]; then
    echo "Delete or rename the folder executed and executed.csv first." >&2
    exit 2
fi
if [ ! -e "${2:-.}" ]; then
    echo "$2 not found. Pass the class list." >&2
    exit 2
fi
mkdir executed
mapfile -d "" files < <(
    cd "$folder" && find . -name ".?*" -prune -o -type f -iname "*.ipynb" -printf '%P\0' | LC_ALL=C sort -z
)
per_student=7200 previous=""
for number in "${!files[@]}"; do
    file=${files[number]}
    echo "$((number + 1)) of ${#files[@]}: ${file@Q}"
    student=${file%%/*}
    [ "$student" != "$file" ] || student=${file%.*} # as srlab grade names them
    [ "$student" = "$previous" ] || began=$SECONDS previous=$student # in the order of bytes, a folder is in one piece
    copy=executed/$student/$((number + 1))/${file##*/} lab=$work/$number/lab log=$work/$number/log
    mkdir -p "${copy%/*}" "$lab"
    : >"$copy"
    if ((SECONDS - began > per_student)); then
        echo "  Not executed, because the notebooks of this student took more than 2 hours."
    elif ! { cp "$folder/$file" "$lab/submitted.ipynb" && chown -R 60706:60706 "$lab" && prepare; } >"$log" 2>&1; then
        echo "  Not a valid notebook: $(last_line "$log")"
    elif ! { cp "$lab/lab.ipynb" "$copy" && execute >"$lab.ipynb"; } 2>"$log"; then
        echo "  Ended its kernel, or took longer than 30 minutes: $(last_line "$log")"
    elif ! same_cells "$copy" "$lab.ipynb" 2>"$log"; then
        echo "  Replaced its executed copy with other cells, so nothing in it counts."
    else
        cp "$lab.ipynb" "$copy"
    fi
    rm -rf "${work:?}/$number" || true
done
srlab grade executed ${2:+--class "$2"} --csv executed.csv
