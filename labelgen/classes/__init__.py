"""Labels before pruning → vocabulary and label shards; what a person decided about classes; vocabularies of others."""
