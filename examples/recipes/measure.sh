#!/usr/bin/env bash
# The development sets, before and after; with TEST=1 the test sets, which are read once, at the end.
#   GOLD=dir MODEL=dir BEFORE=dir RESULTS=dir [EVIDENCE=dir with a directory for each of de-en, en-fr, ro-en] bash measure.sh
set -euo pipefail
mkdir -p "$RESULTS"
sets=(en-bg.xlwa-dev en-es.xlwa-dev en-it.xlwa-dev en-nl.xlwa-dev en-pt.xlwa-dev)
[ -z "${TEST:-}" ] || sets+=(de-en en-fr ro-en)
READ=(--encoding separate --align-layer 7 --method mutual-probability --cutoff 0.5 --low-cutoff 0.2 --position-prior 0)

align() { # model name set [more flags]
  local model=$1 name=$2 set=$3 langs=${3%%.*}
  shift 3
  rm -f "$RESULTS/$set/$name"
  xlm-align align --model "$model" "${READ[@]}" --quiet "$@" \
    --src "$GOLD/$set/test.${langs%-*}" --tgt "$GOLD/$set/test.${langs#*-}" --out "$RESULTS/$set/$name"
}
for set in "${sets[@]}"; do
  mkdir -p "$RESULTS/$set"
  align "$BEFORE" untrained "$set"
  align "$MODEL" trained "$set"
  systems=("$RESULTS/$set/untrained" "$RESULTS/$set/trained")
  if [ -n "${EVIDENCE:-}" ] && [ -d "$EVIDENCE/${set%%.*}" ]; then
    align "$MODEL" trained+evidence "$set" --evidence "$EVIDENCE/${set%%.*}"
    systems+=("$RESULTS/$set/trained+evidence")
  fi
  echo "== $set"
  xlm-align score --gold "$GOLD/$set/gold" "${systems[@]}" | tee "$RESULTS/$set/score.txt"
  xlm-align score --gold "$GOLD/$set/gold" "${systems[@]}" --json > "$RESULTS/$set/score.json"
done
