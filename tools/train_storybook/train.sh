#!/bin/sh
# Trains the storybook model from scratch and exports it. Run it again to continue each step from
# its checkpoint.
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
run train_vq "--steps ${VQ_STEPS:-3000}"
[ -f "$CHECKPOINTS/vq-cooled.pt" ] || run train_vq "--cooldown ${VQ_COOLDOWN:-1000}"
[ -f "$CHECKPOINTS/names.done" ] || { run train_transformer "--lesson names --hide 1 --sight 8 --steps ${NAMES:-1500}"
    touch "$CHECKPOINTS/names.done"; }
run train_transformer "--hide .4 --sight 8 --steps ${STEPS:-15000}"
[ -f "$CHECKPOINTS/transformer-cooled.pt" ] ||
    run train_transformer "--begin $CHECKPOINTS/transformer.pt --guided 5 --hide .2 --lesson company --sight 8 --rate-scale .6 --batch 16 --cooldown ${GUIDED:-2500}"
run train_encoder "--steps ${ENCODER_STEPS:-700}"
run export "--out $OUT"
