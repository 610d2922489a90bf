#!/usr/bin/env bash
# Recipe (b), on one GPU:   PACK=pack.tar.xz GOLD=dir bash gpu.sh        (GPUS=2: two ranks on one machine)
# Batches of 256 pairs, so that the contrast tells a sentence from 255 others; half precision with fairseq's loss scale.
set -euo pipefail
PACK=$(realpath "${PACK:?what pack.sh made}")
OUT=$(realpath -m "${OUT:-outputs/recipes/gpu}")
cd "$(dirname "$0")"
UPDATES=${UPDATES:-1500} GPUS=${GPUS:-1}
mkdir -p "$OUT"
tar -xJf "$PACK" -C "$OUT"
time DEVICE= bash train.sh "$OUT/data" "$OUT/encoder16" "$OUT/run" "$UPDATES" \
  --fp16 --batch-size 256 --num-workers 4 --label-tokens 65536 --lr 2e-4 --warmup-updates 100 \
  --save-interval-updates 250 --distributed-world-size "$GPUS" 2>&1 | tee "$OUT/train.log" | grep --line-buffered train_inner
xlm-align convert "$OUT/run" --average 3 --to fairseq "$OUT/trained" --force
for model in "$OUT/encoder16" "$OUT/trained"; do # pairs a second of aligning, on the GPU and on the CPU
  for device in cuda cpu; do
    time xlm-align align --model "$model" --encoding separate --align-layer 7 --device "$device" --quiet \
      --src "${SRC:-$GOLD/de-en/test.de}" --tgt "${TGT:-$GOLD/de-en/test.en}" --out "$OUT/$(basename "$model").$device"
  done
done
