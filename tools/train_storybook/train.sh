#!/bin/sh
# Trains the storybook model from nothing and exports it. Every step continues from its checkpoint when run again.
#   CHECKPOINTS  folder of checkpoints   (default ~/.cache/bifrons-train)
#   OUT          model folder            (default samples/models/storybook of this repository)
#   PYTHON       interpreter with requirements.txt installed (default python3)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
CHECKPOINTS=${CHECKPOINTS:-$HOME/.cache/bifrons-train}
OUT=${OUT:-$here/../../samples/models/storybook}
PYTHON=${PYTHON:-python3}
run() { echo "== $*"; "$PYTHON" "$here/$1.py" --checkpoints "$CHECKPOINTS" $2; }

mkdir -p "$CHECKPOINTS"
[ -f "$CHECKPOINTS/tokenizer.json" ] || run tokenizer ""
[ -f "$CHECKPOINTS/codes.pt" ] || run patches ""
run train_vq "--steps ${VQ_STEPS:-12000}"
run train_vq "--steps ${VQ_WHOLE_STEPS:-13000} --crop 12"
run train_transformer "--steps ${STEPS:-10000}"
run train_transformer "--cooldown ${COOLDOWN:-1500}"
run train_encoder "--steps ${ENCODER_STEPS:-4000}"
run export "--out $OUT"
