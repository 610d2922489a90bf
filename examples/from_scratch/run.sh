#!/usr/bin/env bash
# EM without any pretrained weights: four trainings on French-English bitext, from the same random encoder.
#   BITEXT=dir of fr-en.CORPUS.tsv.xz  GOLD=dir of en-fr/{test.en,test.fr,gold}  bash run.sh
# README.md says what comes out. Everything goes to $OUT; what is done is not done again.
set -euo pipefail
BITEXT=$(realpath "${BITEXT:?directory of the bitext}")
GOLD=$(realpath "${GOLD:?directory of the gold sets}")/en-fr
OUT=$(realpath -m "${OUT:-outputs/from_scratch}")
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore
UPDATES=${UPDATES:-8000}
mkdir -p "$OUT"

if [ ! -e "$OUT/text.done" ]; then
  echo "== text and gold"
  python prepare.py "$BITEXT" "$GOLD" "$OUT"
  touch "$OUT/text.done"
fi
if [ ! -e "$OUT/links" ]; then
  echo "== bootstrap: a statistical aligner, at its defaults, on the same text"
  xlm-align bootstrap --tsv "$OUT/all.tsv" --out "$OUT/links"
fi
if [ ! -e "$OUT/data.done" ]; then
  echo "== pieces, a random encoder, binarised bitext with the bootstrap labels"
  python - "$OUT" <<'PYTHON'
import sys
import sentencepiece

out = sys.argv[1]
sentencepiece.SentencePieceTrainer.train(
    input=f"{out}/text", model_prefix=f"{out}/spm", vocab_size=12000, character_coverage=1.0,
    normalization_rule_name="nmt_nfkc_cf", minloglevel=2,
)
PYTHON
  rm -rf "$OUT/encoder" "$OUT/data"
  xlm-align new "$OUT/spm.model" "$OUT/encoder" --arch xlm_align_mini
  head -n -947 "$OUT/links" > "$OUT/train.links" # behind the training text: 500 pairs for validation, 447 of the gold set
  head -n -447 "$OUT/links" | tail -n 500 > "$OUT/valid.links"
  tail -n 447 "$OUT/links" > "$OUT/gold.links"
  for split in train valid; do
    xlm-align binarize --model "$OUT/encoder" --lang-pair fr-en --split $split --tsv "$OUT/$split.tsv" --pieces words \
      --alignments "$OUT/$split.links" --max-pieces 100 --out "$OUT/data"
  done
  touch "$OUT/data.done"
fi

echo "== the bootstrap's own AER"
python curve.py bootstrap "$OUT" | tee "$OUT/bootstrap.aer"
TAKEOVER=$(sed -n 's/^validation \([0-9.]*\).*/\1/p' "$OUT/bootstrap.aer")

train() { # name flags…
  local name=$1
  shift
  if [ -e "$OUT/$name.done" ]; then return; fi
  echo "== training: $name"
  fairseq-train "$OUT/data" --user-dir "$(xlm-align user-dir)" --cpu --save-dir "$OUT/$name" \
    --task denoising_word_alignment --criterion pointer_alignment --arch xlm_align_mini --cold-start "$OUT/encoder" \
    --label-method pointer --mask-prob 0.6 --leave-unmasked-prob 0.6 --autocast bfloat16 \
    --optimizer adam --adam-betas '(0.9, 0.98)' --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 1.0 \
    --lr 6e-4 --lr-scheduler polynomial_decay --warmup-updates 200 --total-num-update "$UPDATES" --max-update "$UPDATES" \
    --batch-size 64 --num-workers 0 \
    --valid-gold "$OUT/validation.en,$OUT/validation.fr,$OUT/validation.gold" --best-checkpoint-metric aer --max-valid-steps 4 \
    --validate-interval-updates 500 --save-interval-updates 500 --no-epoch-checkpoints \
    --log-format simple --log-interval 100 "$@" >> "$OUT/$name.log" 2>&1
  touch "$OUT/$name.done"
}
train bootstrap-then-em --label-schedule updates:1000 --initial-labels "$OUT/data" --takeover-aer "$TAKEOVER"
# until self-labels take over, bootstrap-fixed is the same training: it goes on from there
first=$OUT/bootstrap-then-em/labels/em_iter_0001/labels.train.json
if [ ! -e "$OUT/bootstrap-fixed" ] && [ -e "$first" ]; then
  update=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["update"])' "$first")
  mkdir -p "$OUT/bootstrap-fixed.new"
  cp "$OUT"/bootstrap-then-em/checkpoint_*_"$update".pt "$OUT/bootstrap-fixed.new/checkpoint_last.pt"
  mv "$OUT/bootstrap-fixed.new" "$OUT/bootstrap-fixed" # all of it or nothing, should this be stopped
fi
train bootstrap-fixed --label-schedule fixed
# EM once more, later: from the checkpoint of bootstrap-fixed that validation found best
if [ ! -e "$OUT/late-takeover" ]; then
  mkdir -p "$OUT/late-takeover.new"
  best=$OUT/bootstrap-fixed/checkpoint_best.pt # none is written if the checkpoint that it went on from stays the best
  [ -e "$best" ] || best=$OUT/bootstrap-fixed/checkpoint_last.pt
  cp "$best" "$OUT/late-takeover.new/checkpoint_last.pt"
  mv "$OUT/late-takeover.new" "$OUT/late-takeover"
fi
train late-takeover --label-schedule updates:1000 --initial-labels "$OUT/data"
train no-bootstrap --label-schedule updates:1000

echo "== AER of every checkpoint on the gold sentences that decided nothing"
python curve.py trainings "$OUT"
