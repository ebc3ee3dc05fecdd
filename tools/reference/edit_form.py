"""Editing and reflection in plain PyTorch, written from the description of the checkpoints in
docs/edit.md: rows of embeddings, and drawing from any number of rows."""
import torch

from original_form import to_pixels
from understanding_form import pixel_values

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
QUESTION = "<end_of_image>\nLet me think Does this image match the prompt..."
AGAIN = EOS + "\nNext, I will draw a new image<begin_of_image>"


class EditForm:
    """`drawing` is an OriginalForm, `seeing` an Understanding with the same weights."""

    def __init__(self, drawing, seeing, tokenizer):
        self.drawing, self.seeing, self.tokenizer = drawing, seeing, tokenizer
        self.count = drawing.shape.grid ** 2

    def encode(self, text):
        return self.tokenizer.tokenizer.encode(text, add_special_tokens=False).ids

    def words(self, ids):
        return self.drawing.language_model.model.embed_tokens(torch.tensor(ids, dtype=torch.long))

    @torch.no_grad()
    def features(self, picture):
        """Bytes [side, side, 3] to the embeddings that replace placeholders [T, D]."""
        return self.seeing.look(pixel_values(picture[None]))[1][0]

    @torch.no_grad()
    def codes(self, picture):
        """Bytes [side, side, 3] to codes [T], and the gap of each to the second nearest code."""
        x = pixel_values(picture[None]).permute(0, 2, 3, 1)
        vq = self.drawing.gen_vision_model
        codes, distances = vq.quantize.nearest(vq.latents(x))
        nearest = distances.topk(2, dim=-1, largest=False).values[0]
        return codes[0], nearest[:, 1] - nearest[:, 0]

    @torch.no_grad()
    def drawn(self, codes):
        """The embeddings of codes as inputs [T, D]."""
        return self.drawing.gen_aligner(self.drawing.gen_embed(codes))

    # ---- rows of the editing checkpoints ---------------------------------------------------------

    def janus_4o(self, picture, instruction):
        """Three rows [3, L, D]: picture and codes, picture, nothing. Also their ids, with the whole
        text encoded at once."""
        t = self.tokenizer.id
        image = ("<begin_of_image>" + "<image_placeholder>" * self.count + "<end_of_image>" +
                 "<begin_of_image>" + PAD * self.count + "<end_of_image>")
        ids = [t[BOS]] + self.encode(f"<|User|>: {image}{instruction}\n\n<|Assistant|>:<begin_of_image>")
        null = ids[:1] + [t[PAD]] * (len(ids) - 2) + ids[-1:]
        part = self.words(ids)
        seen = [i for i, id in enumerate(ids) if id == t["<image_placeholder>"]]
        part[seen] = self.features(picture)
        full = part.clone()
        first = ids.index(t["<end_of_image>"]) + 2  # behind it and a begin_of_image
        full[first:first + self.count] = self.drawn(self.codes(picture)[0])
        return torch.stack([full, part, self.words(null)]), [ids, ids, null]

    def janus_pro_r1(self, picture, instruction):
        """Two rows [2, L, D]: the instruction, and pads in its place. Three texts are encoded."""
        t = self.tokenizer.id
        before = [t[BOS]] + self.encode("<|User|>: <begin_of_image>" + "<image_placeholder>" * self.count +
                                        "<end_of_image>")
        middle = self.encode(instruction)
        behind = self.encode(" Please generate an image.\n\n<|Assistant|>:<begin_of_image>")
        rows = [before + middle + behind, before + [t[PAD]] * len(middle) + behind]
        x = torch.stack([self.words(row) for row in rows])
        first = before.index(t["<image_placeholder>"])
        x[:, first:first + self.count] = self.drawn(self.codes(picture)[0])
        return x, rows

    # ---- drawing ---------------------------------------------------------------------------------

    @torch.no_grad()
    def draw(self, x, guide):
        """Greedy codes [T] after rows of embeddings [R, L, D], and the gaps between the best and
        the second guided logit. guide: logits [R, codebook] to guided logits [codebook]."""
        decoder = self.drawing.language_model.model
        caches = [{} for _ in decoder.layers]
        rows, position, codes, gaps = x.shape[0], 0, [], []
        for _ in range(self.count):
            hidden = decoder(x, position, caches)
            position += x.shape[1]
            guided = guide(self.drawing.gen_head(hidden[:, -1]))
            best = guided.topk(2).values
            gaps.append((best[0] - best[1]).item())
            codes.append(int(guided.argmax()))
            x = self.drawn(torch.tensor([codes[-1]])).expand(rows, 1, -1)
        return codes, gaps

    # ---- reflection ------------------------------------------------------------------------------

    @torch.no_grad()
    def judge(self, ids, picture, most):
        """Verdict and reason, greedily, at most `most` tokens without the end of sentence; and the
        smallest gap of a choice."""
        language = self.drawing.language_model
        yes, no = self.encode("Yes")[-1], self.encode("No")[-1]
        x = torch.cat([self.words(ids), self.features(picture), self.words(self.encode(QUESTION))])[None]
        caches, position, said, gaps = [{} for _ in language.model.layers], 0, [], []
        while len(said) < most:
            logits = language.lm_head(language.model(x, position, caches)[0, -1])
            position += x.shape[1]
            if not said:
                token = yes if logits[yes] > logits[no] else no
                gaps.append((logits[yes] - logits[no]).abs().item())
            else:
                best = logits.topk(2)
                token = int(best.indices[0])
                gaps.append((best.values[0] - best.values[1]).item())
            if token == self.tokenizer.id[EOS]:
                break
            said.append(token)
            x = self.words([token])[None]
        return said, said[0] == yes, min(gaps)

    def redraw_rows(self, prompt, codes, reason):
        """Both rows see the codes, the question and the reason."""
        ids, null = self.tokenizer.rows(prompt)
        behind = torch.cat([self.drawn(codes), self.words(self.encode(QUESTION) + reason + self.encode(AGAIN))])
        return torch.stack([torch.cat([self.words(row), behind]) for row in (ids, null)])

    @torch.no_grad()
    def picture_of(self, codes):
        return to_pixels(self.drawing.gen_vision_model.decode_code(torch.tensor([codes])))[0]
