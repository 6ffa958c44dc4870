#!/usr/bin/env bash
# Execute a class's submissions with seconds of training, and grade the results: regrade.sh FOLDER [CLASS_LIST]
#
# This runs students' code, so use a virtual machine or a container. The executed copies are in `executed`, and the
# gradebook is executed.csv. A cell may take 2 minutes and a notebook 30.
set -euo pipefail

folder=${1:?Pass the folder of the submissions.}
command -v papermill >/dev/null || {
    echo "Activate the environment of the course first." >&2
    exit 2
}
mkdir executed || {
    echo "Delete the folder executed first." >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
notebook=$work/lab/lab.ipynb

# Only what is executed here may count: saved results may be forged, so a notebook loses them first, or its copy is empty.
prepare() {
    papermill --prepare-only --log-level ERROR -k python3 -l python -p recipe smoke "$1" "$notebook" &&
        jupyter nbconvert --clear-output --inplace "$notebook"
}
# Most kernels of students have other names than the course's.
execute() {
    timeout 30m jupyter nbconvert --to notebook --execute --allow-errors --ExecutePreprocessor.kernel_name=python3 \
        --ExecutePreprocessor.timeout=120 --ExecutePreprocessor.interrupt_on_timeout=True --stdout "$notebook"
}

mapfile -d "" files < <(cd "$folder" && find . -name ".?*" -prune -o -type f -iname "*.ipynb" -printf '%P\0' | sort -z)
for number in "${!files[@]}"; do
    file=${files[number]} copy=executed/${files[number]}
    echo "$((number + 1)) of ${#files[@]}: ${file@Q}"
    rm -rf "$work/lab"
    mkdir -p "$work/lab" "$(dirname "$copy")"
    cp "$folder/$file" "$work/submitted.ipynb"
    if ! prepare "$work/submitted.ipynb" >"$work/log" 2>&1; then
        echo "  Not a valid notebook."
        : >"$copy"
        continue
    fi
    cp "$notebook" "$copy"
    if execute >"$work/executed.ipynb" 2>"$work/log"; then
        cp "$work/executed.ipynb" "$copy"
    else
        echo "  Ended its kernel, or took longer than 30 minutes: $(tail -n 1 "$work/log")"
    fi
done
srlab grade executed ${2:+--class "$2"} --csv executed.csv
