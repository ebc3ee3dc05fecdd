"""Writes the storybook model directory in the layout of Janus-Pro (bf16, original names)."""
import argparse
import json
import os
import shutil

import torch
from safetensors.torch import save_file

import factors
import scenes
import statements
import thoughts
import tokenizer as text
import tower
import train_encoder
import train_transformer
import train_vq
import transformer
import vq


def load_transformer(folder, cooled=True):
    """(transformer, pictures seen, whether it understands pictures). Uses the cooled-down copy if
    it exists, otherwise the average of the weights."""
    path = os.path.join(folder, train_transformer.COOLED)
    key = "model"
    if not cooled or not os.path.exists(path):
        path, key = os.path.join(folder, train_transformer.FILE), "average"
    saved = torch.load(path)
    model = transformer.Storybook(transformer.Config(**saved["config"]))
    train_transformer.adopt(model, saved[key], folder)
    factors.fold(model)
    return model.eval(), saved["seen"], "sight" in saved


def load_vq(folder):
    """(network, whether its encoder is trained). Uses the cooled-down copy if it exists."""
    path = os.path.join(folder, train_vq.COOLED)
    saved = torch.load(path if os.path.exists(path) else os.path.join(folder, train_vq.FILE))
    model = vq.VQ(vq.Config(**saved["config"]))
    model.load_state_dict(saved["average"])
    encoder = os.path.join(folder, train_encoder.FILE)
    if os.path.exists(encoder):
        model.load_state_dict(torch.load(encoder)["average"], strict=False)
    return model.eval(), os.path.exists(encoder) or saved.get("encoder_trained", False)


def tensors(model, pictures, sees):
    out = {name: value for name, value in model.state_dict().items()
           if sees or not name.startswith(("vision_model.", "aligner."))}
    out.update({f"gen_vision_model.{name}": value for name, value in pictures.state_dict().items()})
    return {name: value.detach().to(torch.bfloat16).contiguous() for name, value in out.items()}


def eyes(width):
    """The config sections of the vision tower and its aligner."""
    t = tower.Config()
    return {
        "aligner_config": {"cls": "MlpProjector", "model_type": "aligner", "params": {
            "depth": 2, "input_dim": t.width, "n_embed": width, "projector_type": "mlp_gelu"}},
        "vision_config": {"cls": "CLIPVisionTower", "model_type": "vision", "params": {
            "heads": t.heads, "image_size": t.image, "layers": t.layers, "mlp_ratio": t.mlp_ratio, "model_name": "siglip_storybook",
            "patch_size": t.patch, "select_feature": "same", "select_layer": -1, "width": t.width}},
    }


def config(model, pictures, sees):
    c, v = model.config, pictures.config
    part = lambda cls, kind, **params: {"cls": cls, "model_type": kind, "params": params}
    return {
        **(eyes(c.width) if sees else {}),
        "architectures": ["MultiModalityCausalLM"],
        "gen_aligner_config": part("MlpProjector", "gen_aligner", depth=2, input_dim=c.code_width, n_embed=c.width,
                                   projector_type="mlp_gelu"),
        "gen_head_config": part("vision_head", "gen_head", image_token_embed=c.width, image_token_size=c.codes, n_embed=c.width),
        "gen_vision_config": part("VQ-16", "gen_vision", image_token_size=c.codes, n_embed=c.code_width, ch=v.ch,
                                  encoder_ch_mult=list(v.encoder_ch_mult), decoder_ch_mult=list(v.decoder_ch_mult),
                                  num_res_blocks=v.num_res_blocks, z_channels=v.z_channels, image_size=scenes.SIDE),
        "language_config": {
            "attention_bias": False, "head_dim": c.width // c.heads, "hidden_act": "silu", "hidden_size": c.width,
            "intermediate_size": c.inner, "max_position_embeddings": 1024, "mlp_bias": False, "model_type": "llama",
            "num_attention_heads": c.heads, "num_hidden_layers": c.layers, "num_key_value_heads": c.heads,
            "rms_norm_eps": c.epsilon, "rope_scaling": None, "rope_theta": c.theta, "tie_word_embeddings": False,
            "torch_dtype": "bfloat16", "vocab_size": c.vocabulary},
        "model_type": "multi_modality",
        "torch_dtype": "bfloat16",
    }


def companions(thinks):
    """The small JSON files next to config.json."""
    return {
        "tokenizer_config.json": {
            "add_bos_token": True, "add_eos_token": False, "bos_token": text.BOS, "clean_up_tokenization_spaces": False,
            "eos_token": text.EOS, "model_max_length": 1024, "pad_token": None, "tokenizer_class": "LlamaTokenizer",
            "unk_token": None, "use_default_system_prompt": True},
        "special_tokens_map.json": {
            "additional_special_tokens": text.SPECIAL[5:], "bos_token": text.BOS, "eos_token": text.EOS, "pad_token": text.PAD},
        "processor_config.json": {
            "add_special_token": False, "describe_question": statements.DESCRIBE, "ignore_id": -100, "image_tag": "<image_placeholder>",
            "mask_prompt": True, "match_question": statements.MATCH, "num_image_tokens": tower.Config().tokens,
            "processor_class": "VLChatProcessor", "sft_format": "deepseek", "system_prompt": ""},
        "preprocessor_config.json": {
            "background_color": [127, 127, 127], "do_normalize": True, "image_mean": [.5] * 3, "image_processor_type":
            "VLMImageProcessor", "image_size": scenes.SIDE, "image_std": [.5] * 3, "min_size": 14,
            "processor_class": "VLChatProcessor", "rescale_factor": 0.00392156862745098},
        **({"bifrons_think.json": thoughts.STYLE} if thinks else {}),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--out", default="samples/models/storybook")
    p.add_argument("--average", action="store_true", help="export the running average even if a cooled copy exists")
    p.add_argument("--thoughts", action="store_true", help="the transformer learnt the lesson with thoughts: write how to ask for one")
    a = p.parse_args()
    model, pictures_seen, sees = load_transformer(a.checkpoints, not a.average)
    network, encoder_trained = load_vq(a.checkpoints)
    os.makedirs(a.out, exist_ok=True)
    weights = tensors(model, network, sees)
    save_file(weights, os.path.join(a.out, "model.safetensors"), metadata={
        "format": "pt", "training_pictures": str(pictures_seen),
        "picture_encoder": "trained" if encoder_trained else "random, not trained yet",
        "understanding": "trained" if sees else "not trained; lm_head is random", "license": "weights MIT; trained on pictures of Noto Color Emoji (OFL 1.1)"})
    os.chmod(os.path.join(a.out, "model.safetensors"), 0o644)    # safetensors wrote it as 0600
    shutil.copy(os.path.join(a.checkpoints, "tokenizer.json"), a.out)
    for name, doc in {"config.json": config(model, network, sees), **companions(a.thoughts)}.items():
        with open(os.path.join(a.out, name), "w") as f:
            json.dump(doc, f, indent=2, ensure_ascii=False)
            f.write("\n")
    size = sum(os.path.getsize(os.path.join(a.out, f)) for f in os.listdir(a.out))
    print(f"{len(weights)} tensors, {sum(t.numel() for t in weights.values()) / 1e6:.2f} M parameters, "
          f"{pictures_seen} training pictures, folder {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
