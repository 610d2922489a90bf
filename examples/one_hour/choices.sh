#!/usr/bin/env bash
# Choices of run.sh compared: three short trainings, equal but for one thing, AER on the development sets (run.sh goes first).
#   BITEXT=… GOLD=dir  bash choices.sh
set -euo pipefail
GOLD=$(realpath "${GOLD:?directory of the gold sets}")
export GOLD
OUT=$(realpath -m "${OUT:-outputs/one_hour}")
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
UPDATES=${UPDATES:-150}
DEV=""
for lang in bg es it nl pt; do
  set_dir=$GOLD/en-$lang.xlwa-dev
  DEV="$DEV $set_dir/test.en,$set_dir/test.$lang,$set_dir/gold"
done

for pair in de-en fr-en ro-en; do
  for split in train valid; do
    xlm-align binarize --model "$OUT/e5-trimmed" --lang-pair "$pair" --split "$split" --tsv "$OUT/$split.$pair.tsv" \
      --pieces running --max-pieces 120 --out "$OUT/data-running"
  done
done

row() { # name data flags…
  local name=$1 data=$2
  shift 2
  rm -rf "$OUT/choice-$name"
  bash train.sh "$OUT/$data" "$OUT/e5-trimmed" "$OUT/choice-$name" "$UPDATES" --disable-validation "$@" > "$OUT/choice-$name.log" 2>&1
  for encoding in joint separate; do
    echo "$name, $encoding: $(xlm-align choose --model "$OUT/choice-$name" --encoding $encoding --methods optimal-transport \
      --gold-set $DEV --dry-run --quiet | tail -1)"
  done
}
row words data
row running-text data-running
row words-and-translation-lm data --tlm-weight 1
