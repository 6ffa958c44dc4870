#!/usr/bin/env bash
# Execute copies of a class's submissions, with seconds of training, and grade them: regrade.sh FOLDER [CLASS_LIST]
#
# This runs students' code, so use a virtual machine or a container. The copies are in `executed`, and the gradebook is
# executed.csv. A cell may take 2 minutes and a notebook 30.
set -euo pipefail

[ ! -e executed ] || {
    echo "The folder executed exists. Delete it first." >&2
    exit 2
}
cp -r "${1:?Pass the folder of the submissions.}" executed
# Without the saved results, which may be forged
find executed -name "*.ipynb" -exec papermill --prepare-only --log-level ERROR -p recipe smoke {} {} \;
find executed -name "*.ipynb" -exec jupyter nbconvert --clear-output --inplace {} \;
find executed -name "*.ipynb" -exec timeout 30m jupyter nbconvert --to notebook --execute --allow-errors \
    --ExecutePreprocessor.timeout=120 --ExecutePreprocessor.interrupt_on_timeout=True --inplace {} \;
srlab grade executed ${2:+--class "$2"} --csv executed.csv
