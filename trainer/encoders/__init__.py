"""Image towers: timm's, the published ones and open_clip's, what is trained of them, and how they are used frozen."""
