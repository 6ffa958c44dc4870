#!/usr/bin/env bash
# Execute a class's submissions with seconds of training, and grade the results: regrade.sh FOLDER [CLASS_LIST]
#
# This runs students' code, so use a virtual machine or a container, as root: each notebook is executed by an account of
# its own, which can write only into a new folder and has ended when the next one begins. The executed copies are in
# `executed`, and the gradebook is executed.csv. A cell may take 2 minutes and a notebook 30.
set -euo pipefail

folder=${1:?Pass the folder of the submissions.}
course=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
export PATH=$course/.venv/bin:$PATH
work=$(mktemp -d) # outside of it, the accounts can write only into folders for everyone, such as /tmp
chmod 711 "$work"
trap 'end_processes; rm -rf "$work"' EXIT
trap 'exit 130' INT
umask 077          # the accounts cannot read what root writes
ulimit -f 1048576  # KiB per file
account=60706      # the first of 400 numbers that neither Linux nor systemd uses
lab=$work

alone() {
    timeout --foreground --kill-after 1m 30m setsid --wait \
        setpriv --reuid "$account" --regid "$account" --clear-groups --no-new-privs \
        env -i -C "$lab" PATH="$PATH" HOME="$lab" TMPDIR="$lab" "$@" </dev/null
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
# Most kernels of students have other names than the course's.
execute() {
    alone jupyter nbconvert --to notebook --execute --allow-errors --ExecutePreprocessor.kernel_name=python3 \
        --ExecutePreprocessor.timeout=120 --ExecutePreprocessor.interrupt_on_timeout=True --stdout lab.ipynb
}
# What a notebook has left running would slow down the next one. pkill returns 1 if there is nothing.
end_processes() { pkill --signal KILL --uid "$account" || [ $? = 1 ]; }
last_line() { tail -n 1 "$1" | tr -cd '[:print:]'; }

alone python -c "import srlab_course" || {
    echo "Run this as root. The course and its Python must be where every account can read them, such as /opt." >&2
    exit 2
}
mkdir executed || {
    echo "Delete the folder executed first." >&2
    exit 2
}
mapfile -d "" files < <(cd "$folder" && find . -name ".?*" -prune -o -type f -iname "*.ipynb" -printf '%P\0' | sort -z)
for number in "${!files[@]}"; do
    file=${files[number]} copy=executed/${files[number]}
    echo "$((number + 1)) of ${#files[@]}: ${file@Q}"
    account=$((60706 + number % 400)) lab=$work/$number/lab log=$work/$number/log
    mkdir -p "$lab"
    chmod 711 "$work/$number"
    if ! { mkdir -p "$(dirname "$copy")" && cp "$folder/$file" "$lab/submitted.ipynb"; }; then
        echo "  Cannot be copied." # its path is too long
        continue
    fi
    chown -R "$account:$account" "$lab"
    if ! prepare >"$log" 2>&1; then
        echo "  Not a valid notebook: $(last_line "$log")"
        : >"$copy"
        continue
    fi
    cp "$lab/lab.ipynb" "$copy"
    executed=0
    execute >"$work/$number/executed.ipynb" 2>"$log" || executed=$?
    end_processes
    if [ $executed = 0 ]; then
        cp "$work/$number/executed.ipynb" "$copy"
    else
        echo "  Ended its kernel, or took longer than 30 minutes: $(last_line "$log")"
    fi
    rm -rf "$lab"
done
srlab grade executed ${2:+--class "$2"} --csv executed.csv
