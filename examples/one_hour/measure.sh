#!/usr/bin/env bash
# Layers chosen on the development sets, one for each encoding, before and after; results on the test sets, with paired tests.
set -euo pipefail
GOLD=$(realpath "${GOLD:?directory of the gold sets}")
OUT=$(realpath -m "${OUT:-outputs/one_hour}")
export OUT
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
DEV=""
for lang in bg es it nl pt; do
  set_dir=$GOLD/en-$lang.xlwa-dev
  DEV="$DEV $set_dir/test.en,$set_dir/test.$lang,$set_dir/gold"
done

for when in before after; do
  model=$OUT/$([ $when = before ] && echo e5 || echo trained)
  for encoding in joint separate; do
    chosen=$(xlm-align choose --model "$model" --encoding $encoding --methods optimal-transport --gold-set $DEV --dry-run --quiet |
      tee "$OUT/choose.$when.$encoding" | sed -n 's/^best: .* layer \([0-9]*\),.*/\1/p')
    echo "$when, $encoding: layer $chosen"
    for pair in de-en en-fr ro-en; do
      xlm-align align --model "$model" --method optimal-transport --encoding $encoding --align-layer "$chosen" --quiet \
        --src "$GOLD/$pair/test.${pair%-*}" --tgt "$GOLD/$pair/test.${pair#*-}" --out "$OUT/$when.$encoding.$pair"
    done
  done
done
for pair in de-en en-fr ro-en; do
  echo "== $pair"
  xlm-align score --gold "$GOLD/$pair/gold" "$OUT/before.joint.$pair" "$OUT/after.joint.$pair"
  xlm-align score --gold "$GOLD/$pair/gold" "$OUT/before.separate.$pair" "$OUT/after.separate.$pair" "$OUT/after.joint.$pair"
done
