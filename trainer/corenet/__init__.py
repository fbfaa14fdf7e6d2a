"""The released CatLIP models: their architecture in timm's terms, their checkpoints as exported folders."""
