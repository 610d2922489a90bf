#!/usr/bin/env bash
# The training command of this folder:   GOLD=dir  bash train.sh DATA ENCODER SAVE_DIR UPDATES [flags of fairseq-train …]
set -euo pipefail
data=$1 encoder=$2 save_dir=$3 updates=$4
shift 4
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore
DEV=""
for lang in bg es it nl pt; do
  set_dir=$GOLD/en-$lang.xlwa-dev
  DEV="$DEV $set_dir/test.en,$set_dir/test.$lang,$set_dir/gold"
done

fairseq-train "$data" --user-dir "$(xlm-align user-dir)" --cpu \
  --task denoising_word_alignment --criterion pointer_alignment --arch xlm_align_small --cold-start "$encoder" \
  --label-method optimal-transport --encoding separate --align-layer 7 --autocast bfloat16 --tlm-weight 0 \
  --optimizer adam --adam-betas '(0.9, 0.98)' --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 1.0 \
  --lr 1e-4 --lr-scheduler polynomial_decay --warmup-updates 50 --total-num-update "$updates" --max-update "$updates" \
  --batch-size 32 --num-workers 0 --valid-gold "$(echo $DEV | tr ' ' ';')" --best-checkpoint-metric aer \
  --validate-interval-updates 250 --save-interval-updates 250 --keep-interval-updates 1 --max-valid-steps 4 --no-epoch-checkpoints \
  --log-format simple --log-interval 25 --save-dir "$save_dir" "$@"
