"""Makes checkpoints from an exported model folder, to continue a training whose checkpoints were
not kept.

A model folder does not have the state of the optimiser: `train_transformer.py --begin
CHECKPOINTS/transformer.pt` starts with a new one.
"""
import argparse
import dataclasses
import os
import shutil

import torch
from safetensors import safe_open

import patches
import train_transformer
import train_vq
import transformer
import vq

PICTURES = "gen_vision_model."


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--model", default="samples/models/storybook")
    a = p.parse_args()
    os.makedirs(a.checkpoints, exist_ok=True)
    shutil.copy(os.path.join(a.model, "tokenizer.json"), a.checkpoints)
    teacher = patches.make()
    torch.save(teacher, os.path.join(a.checkpoints, patches.FILE))
    with safe_open(os.path.join(a.model, "model.safetensors"), "pt") as file:
        seen = int(file.metadata()["training_pictures"])
        encoder_trained = file.metadata()["picture_encoder"] == "trained"
        state = {name: file.get_tensor(name).float() for name in file.keys()}

    config = train_transformer.build(a.checkpoints).config
    train_transformer.save(os.path.join(a.checkpoints, train_transformer.FILE), step=seen // 32, seen=seen, batch=32,
                           model={name: t for name, t in state.items() if not name.startswith(PICTURES)},
                           config=dataclasses.asdict(config))

    network = vq.VQ(vq.Config(codes=config.codes))
    network.load_state_dict({name.removeprefix(PICTURES): t for name, t in state.items() if name.startswith(PICTURES)})
    train_transformer.save(os.path.join(a.checkpoints, train_vq.COOLED), average=network.state_dict(),
                           config=dataclasses.asdict(network.config), encoder_trained=encoder_trained)
    print(f"{len(teacher['patches'])} codes, {seen} pictures seen")


if __name__ == "__main__":
    main()
