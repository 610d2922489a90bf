#!/usr/bin/env bash
# Answers to questions, trained on English alone: five folds of XQuAD by article, before and after denoising word alignment.
#   XQUAD=dir of xquad.{en,de,es,ro}.json  MODEL=encoder  BEFORE=encoder  bash questions.sh
# README.md says what came out. Everything goes to $OUT; what is there is not made again.
set -euo pipefail
XQUAD=$(realpath "${XQUAD:?directory of xquad.en.json, xquad.de.json …}")
MODEL=$(realpath "${MODEL:?encoder after denoising word alignment}")
BEFORE=$(realpath "${BEFORE:?encoder before}")
OUT=$(realpath -m "${OUT:-outputs/questions}")
LANGS=${LANGS:-en,de,es,ro} FOLDS=${FOLDS:-5} SEED=${SEED:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
cd "$(dirname "$0")"
mkdir -p "$OUT/answers"
python folds.py split "$XQUAD" "$OUT" "$FOLDS" "$LANGS"

texts=()
for lang in ${LANGS//,/ }; do
  texts+=("$OUT/text.$lang")
  [ -f "$OUT/text.$lang" ] || python -c 'import sys; from xlm_align_fairseq.transfer import read_questions
print("\n".join(f"{one.question}\n{one.context}" for one in read_questions(sys.argv[1]).questions))' \
    "$XQUAD/xquad.$lang.json" > "$OUT/text.$lang"
done
for encoder in before:"$BEFORE" after:"$MODEL"; do # one vocabulary, of all the text, for both
  [ -f "$OUT/${encoder%%:*}/model.pt" ] ||
    xlm-align convert "${encoder#*:}" --to fairseq "$OUT/${encoder%%:*}" --trim-vocabulary "${texts[@]}"
done
for fold in $(seq 0 $((FOLDS - 1))); do
  echo "== fold $fold"
  xlm-align xtreme --checkpoint "$OUT/after" --against "$OUT/before" --data "$OUT/fold.$fold" --tasks xquad --seeds "$SEED" \
    --recipe small --out "$OUT/table.$fold" "$@"
done
for lang in ${LANGS//,/ }; do
  gold=$XQUAD/xquad.$lang.json
  for encoder in before after; do
    python folds.py join "$OUT/answers/$encoder.$lang.json" "$OUT"/table.*/predictions/$encoder/"$SEED"/xquad/test-"$lang".json
  done
  [ -f "$OUT/answers/random.$lang.json" ] || python folds.py random "$gold" "$OUT/before" "$OUT/answers/random.$lang.json"
  for encoder in random before after; do
    echo "== $lang, $encoder"
    xlm-align evaluate --task xquad --gold "$gold" --predictions "$OUT/answers/$encoder.$lang.json"
  done
  python difference.py --answers "$gold" "$OUT/answers/after.$lang.json" "$OUT/answers/before.$lang.json"
done
