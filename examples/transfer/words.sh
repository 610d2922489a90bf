#!/usr/bin/env bash
# POS and NER without a word of the other languages: two encoders, three seeds, on development sets.
#   POS=dir of LG_TREEBANK-{train,dev}.tsv  NER=dir of LG_uner_TREEBANK-{train,dev}.iob2  PROJECTION=dir of LG_uner_pud.iob2 \
#   MODEL=encoder  BEFORE=encoder  bash words.sh
# README.md says where the files come from and what came out. Everything goes to $OUT; what is there is not made again.
set -euo pipefail
POS=$(realpath "${POS:?directory of en_ewt-train.tsv, en_ewt-dev.tsv, de_gsd-dev.tsv …}")
NER=$(realpath "${NER:?directory of en_uner_ewt-train.iob2, en_uner_ewt-dev.iob2, pt_uner_bosque-dev.iob2 …}")
PROJECTION=$(realpath "${PROJECTION:?directory of en_uner_pud.iob2, pt_uner_pud.iob2, sv_uner_pud.iob2, which labels.sh needs}")
MODEL=$(realpath "${MODEL:?encoder after denoising word alignment}")
BEFORE=$(realpath "${BEFORE:?encoder before}")
OUT=$(realpath -m "${OUT:-outputs/words}")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
mkdir -p "$OUT"/download/{udpos,panx}

for file in "$POS"/en_ewt-train.tsv "$POS"/*-dev.tsv; do # as XTREME names them
  name=$(basename "$file")
  ln -sf "$file" "$OUT/download/udpos/$(sed -E 's/^([a-z]+)_.*-(train|dev)\.tsv$/\2-\1.tsv/' <<< "$name")"
done
for file in "$NER"/en_uner_ewt-train.iob2 "$NER"/*-dev.iob2; do
  name=$(basename "$file")
  ln -sf "$file" "$OUT/download/panx/$(sed -E 's/^([a-z]+)_.*-(train|dev)\.iob2$/\2-\1.tsv/' <<< "$name")"
done

for encoder in before:"$BEFORE" after:"$MODEL"; do # one vocabulary, of all the text, for both
  [ -f "$OUT/${encoder%%:*}/model.pt" ] ||
    xlm-align convert "${encoder#*:}" --to fairseq "$OUT/${encoder%%:*}" --trim-vocabulary "$POS"/*.tsv "$NER"/*.iob2 \
      "$PROJECTION"/*.iob2
done
xlm-align xtreme --checkpoint "$OUT/after" --against "$OUT/before" --data "$OUT/download" --split dev --tasks pos,ner \
  --seeds "${SEEDS:-1,2,3}" --recipe small --out "$OUT/table" "$@"
