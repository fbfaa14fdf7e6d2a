"""Names, types and versions of everything a label set holds. The words behind it: docs/label-set-format.md."""

import pyarrow as pa

FORMAT = "catlip-label-set"
FORMAT_VERSION = 2

MANIFEST_NAME = "labelset.json"
VOCABULARY_NAME = "vocabulary.parquet"
COOCCURRENCE_NAME = "cooccurrence.parquet"
EXAMPLES_NAME = "examples.parquet"
# Only where the labels come from a learnt table.
DISTILLED_NAME = "distilled.parquet"
SHARD_FOLDER = "shards"

# In the manifest's provenance, among the settings: what was decided about single classes.
EDIT = "edit"

# Keys of a Parquet file's own metadata.
META_VERSION = b"catlip.format_version"
META_VOCABULARY = b"catlip.vocabulary"
META_IMAGE_FILES = b"catlip.image_files"

# Families of classes: what was in the caption, and what lies above it in WordNet.
NOUNS, ATTRIBUTES, ACTIONS, COMPOUNDS, HYPERNYMS = FAMILIES = (
    "nouns",
    "attributes",
    "actions",
    "compounds",
    "hypernyms",
)

VOCABULARY = pa.schema(
    [
        pa.field("class_id", pa.uint32(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("wnid", pa.string(), nullable=False),
        pa.field("synset", pa.string(), nullable=False),
        pa.field("lemmas", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        pa.field("gloss", pa.string(), nullable=False),
        pa.field("lexname", pa.string(), nullable=False),
        pa.field("support", pa.int64(), nullable=False),
    ]
)

COOCCURRENCE = pa.schema(
    [
        pa.field("a", pa.uint32(), nullable=False),
        pa.field("b", pa.uint32(), nullable=False),
        pa.field("support", pa.int64(), nullable=False),
    ]
)

EXAMPLES = pa.schema(
    [
        pa.field("class_id", pa.uint32(), nullable=False),
        pa.field("term", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("captions", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
)

IMAGE = pa.struct(
    [
        pa.field("file", pa.uint16(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int32(), nullable=False),
    ]
)

LABELS = pa.list_(pa.field("element", pa.uint32(), nullable=False))


def label_shard(with_captions: bool) -> pa.Schema:
    """Schema of one label shard; the caption column is there only if the label set keeps captions."""
    fields = [
        pa.field("key", pa.string(), nullable=False),
        pa.field("labels", LABELS, nullable=False),
        pa.field("image", IMAGE, nullable=True),
    ]
    if with_captions:
        fields.append(pa.field("captions", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False))
    return pa.schema(fields)
