"""Fine-tuning: the whole encoder and a new head learn the classes, and what comes out is measured."""
