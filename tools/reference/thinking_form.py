"""Thinking before drawing in plain PyTorch: the conversations of the reasoning checkpoints of the
Janus family, greedy thoughts, and the rows of the picture after them.

Written from the description of the checkpoints' own scripts. It shares no code and no data with the
program: a style is given here as facts about a checkpoint.
"""
from dataclasses import dataclass, field

import torch

from tokenizer_layout import BEGIN_OF_IMAGE, BOS, EOS, PAD


@dataclass
class Style:
    roles: tuple                # in front of the two turns
    ask: str                    # what the user says; {} is the prompt
    system: str = ""
    redraw: str = ""            # of a second conversation: {0} is the prompt, {1} the thought; "": same sequence
    stop: tuple = (EOS,)
    added: tuple = ()           # tokens appended to the vocabulary
    max_tokens: int = 24
    extra: dict = field(default_factory=dict)


def conversation(style, system, content):
    """The "deepseek" template with an empty last turn of the assistant."""
    text = system.strip() + "\n\n" if system else ""
    text += f"{style.roles[0]}: {content.strip()}\n\n{style.roles[1]}:"
    return text.strip()


class Thinker:
    def __init__(self, drawing, tokenizer, style):
        """`drawing` is an OriginalForm, `tokenizer` one of the `tokenizers` library."""
        self.drawing, self.tokenizer, self.style = drawing, tokenizer, style
        if style.added:
            tokenizer.add_tokens(list(style.added))
        self.bos, self.pad, self.image = (tokenizer.token_to_id(t) for t in (BOS, PAD, BEGIN_OF_IMAGE))
        self.stop = [tokenizer.token_to_id(token) for token in style.stop]

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def ask_ids(self, prompt):
        content = self.style.ask.replace("{}", prompt)
        return [self.bos] + self.encode(conversation(self.style, self.style.system, content))

    @torch.no_grad()
    def think(self, ids, most):
        """Greedy text: tokens, whether one of `stop` ended it, and the smallest gap of a step."""
        language = self.drawing.language_model
        caches = [{} for _ in language.model.layers]
        x, position, tokens, gap = torch.tensor([ids]), 0, [], float("inf")
        while len(tokens) < most:
            hidden = language.model(language.model.embed_tokens(x), position, caches)
            position += x.shape[1]
            logits = language.lm_head(hidden[0, -1])
            best = logits.topk(2)
            gap = min(gap, (best.values[0] - best.values[1]).item())
            token = int(best.indices[0])
            if token in self.stop:
                return tokens, True, gap
            tokens.append(token)
            x = torch.tensor([[token]])
        return tokens, False, gap

    def rows(self, prompt, tokens):
        """Both rows of the picture after a thought."""
        if self.style.redraw:
            thought = self.tokenizer.decode(tokens, skip_special_tokens=True)
            content = self.style.redraw.replace("{0}", prompt).replace("{1}", thought)
            ids = [self.bos] + self.encode(conversation(self.style, "", content)) + [self.image]
        else:
            ids = self.ask_ids(prompt) + tokens + [self.image]
        return ids, ids[:1] + [self.pad] * (len(ids) - 2) + ids[-1:]

    def draw(self, prompt):
        """Everything of one picture, as it is stored in the goldens."""
        ask = self.ask_ids(prompt)
        # In the same sequence the start of the image takes the place of the last token.
        most = self.style.max_tokens - (0 if self.style.redraw else 1)
        tokens, stopped, gap = self.think(ask, most)
        ids, null_ids = self.rows(prompt, tokens)
        codes, _, guided = self.drawing.draw(ids, null_ids, 5.0)
        best = guided.topk(2, dim=-1).values
        return {"prompt": prompt, "ask_ids": ask, "thought_ids": tokens, "stopped": stopped,
                "thought": self.tokenizer.decode(tokens, skip_special_tokens=True),
                "draw_ids": ids, "null_ids": null_ids, "codes": codes.tolist(),
                "smallest_text_gap": round(gap, 5),
                "smallest_code_gap": round((best[:, 0] - best[:, 1]).min().item(), 5)}
