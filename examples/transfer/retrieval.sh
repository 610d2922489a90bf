#!/usr/bin/env bash
# Accuracy of every layer, both directions, for each language of a folder of parallel files against English, as a Markdown table.
#
#   bash examples/transfer/retrieval.sh MODEL FOLDER OUT [flags of xlm-align retrieve, as --score margin]
#
# FOLDER has files LANGUAGE.devtest, line n of each a translation of line n of eng.devtest, as FLORES-200 has. A language that OUT
# has already is not computed again.
set -euo pipefail
model=$1 folder=$2 out=$3
shift 3
mkdir -p "$out"
for file in "$folder"/*.devtest; do
  language=$(basename "$file" .devtest)
  if [ "$language" = eng ] || [ -s "$out/$language.json" ]; then continue; fi
  xlm-align retrieve --model "$model" --src "$file" --tgt "$folder/eng.devtest" --all-layers --json "$@" > "$out/$language.part"
  mv "$out/$language.part" "$out/$language.json"
done
python "$(dirname "$0")/retrieval_table.py" "$out" | tee "$out/table.md"
