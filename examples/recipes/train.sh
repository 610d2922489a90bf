#!/usr/bin/env bash
# The training command of the recipes:   bash train.sh DATA ENCODER SAVE_DIR UPDATES [flags of fairseq-train …]
#
# Late encoding; links of layer 7 by mutual probability, labelled once before training; the similarity and the contrast of layer 7
# are trained, and nothing above it is computed. Embeddings stay as they are. Float32: give --autocast bfloat16 where the
# processor has bfloat16 instructions (grep avx512_bf16 /proc/cpuinfo), and --fp16 on a GPU.
set -euo pipefail
data=$1 encoder=$2 save_dir=$3 updates=$4
shift 4
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore

fairseq-train "$data" --user-dir "$(xlm-align user-dir)" ${DEVICE---cpu} \
  --task denoising_word_alignment --criterion pointer_alignment --arch xlm_align_small --cold-start "$encoder" \
  --encoding late --late-layer 7 --align-layer 7 --label-method mutual-probability --cutoff 0.4 --position-prior 0.1 \
  --label-schedule "updates:$updates" --label-tokens 4096 --freeze-embeddings \
  --similarity-weight 1 --contrast-weight 1 --dwa-weight 0 --tlm-weight 0 --mlm-weight 0 \
  --optimizer adam --adam-betas '(0.9, 0.98)' --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 1.0 \
  --lr 1e-4 --lr-scheduler polynomial_decay --warmup-updates 30 --total-num-update "$updates" --max-update "$updates" \
  --batch-size 64 --num-workers 0 --disable-validation \
  --save-interval-updates 50 --keep-interval-updates 3 --no-epoch-checkpoints \
  --log-format simple --log-interval 20 --save-dir "$save_dir" "$@"
