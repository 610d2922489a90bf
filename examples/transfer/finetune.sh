#!/usr/bin/env bash
# Fine-tune an encoder on English tags of words:   bash finetune.sh TRAIN DEV ENCODER SAVE_DIR UPDATES [flags of fairseq-train …]
#
# One pass over the text with a learning rate that falls to 0; float32. UPDATES are those of the whole training: sentences / 32, rounded up.
set -euo pipefail
train=$1 dev=$2 encoder=$3 save_dir=$4 updates=$5
shift 5
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore

fairseq-train "$train" --user-dir "$(xlm-align user-dir)" ${DEVICE---cpu} \
  --task token_labeling --criterion token_labeling --arch xlm_align_small --cold-start "$encoder" --valid-data "$dev" \
  --best-checkpoint-metric accuracy --maximize-best-checkpoint-metric --no-epoch-checkpoints \
  --optimizer adam --adam-betas '(0.9, 0.999)' --adam-eps 1e-8 --clip-norm 1.0 --lr "${LR:-2e-4}" --lr-scheduler polynomial_decay \
  --total-num-update "$updates" --max-epoch "${EPOCHS:-1}" --dropout 0.1 --attention-dropout 0.1 --batch-size 32 --num-workers 0 \
  --log-format simple --log-interval 50 --save-dir "$save_dir" "$@"
