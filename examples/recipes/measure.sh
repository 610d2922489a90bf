#!/usr/bin/env bash
# The development sets, before and after; with TEST=1 the test sets, which are read once, at the end.
#   GOLD=dir MODEL=dir BEFORE=dir RESULTS=dir [READ="--cutoff 0.45"] [EVIDENCE=dir with a directory for each of de-en, en-fr, ro-en] bash measure.sh
set -euo pipefail
mkdir -p "$RESULTS"
sets=(en-bg.xlwa-dev en-es.xlwa-dev en-it.xlwa-dev en-nl.xlwa-dev en-pt.xlwa-dev)
[ -z "${TEST:-}" ] || sets+=(de-en en-fr ro-en)
# shellcheck disable=SC2206  # READ is a list of flags
READ=(--encoding separate --align-layer 7 --method mutual-probability ${READ:---cutoff 0.5 --low-cutoff 0.2 --position-prior 0})

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
echo "== mean AER of the development sets"
python - "$RESULTS" << 'END'
import json, pathlib, statistics, sys

scores = [json.loads(path.read_text()) for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xlwa-dev/score.json"))]
for name in ("untrained", "trained"):
    found = [one["aer"] for score in scores for one in score["systems"] if pathlib.Path(one["name"]).name == name]
    print(f"{name:<10} {statistics.fmean(found):6.2f}   {len(found)} sets")
END
