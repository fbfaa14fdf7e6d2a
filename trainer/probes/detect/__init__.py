"""Object detection: Mask R-CNN on an encoder and a simple feature pyramid (ViTDet), measured as COCO does."""
