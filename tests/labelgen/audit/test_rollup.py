import numpy as np
import pyarrow as pa

from labelgen.audit.rollup import hierarchy_of
from labelgen.dictionary.wordnet import wnid_of
from labelgen.meaning.atlas import Atlas
from labelshards import schema
from labelshards.hierarchy import Hierarchy
from labelshards.vocabulary import Vocabulary


def vocabulary(atlas: Atlas, *names: str) -> Vocabulary:
    """Classes of real synsets; a compound is written with a plus."""
    wnids = ["+".join(wnid_of(int(atlas.ids[place])) for place in atlas.places_of(name.split("+"))) for name in names]
    columns = {
        "class_id": pa.array(range(len(names)), pa.uint32()),
        "wnid": wnids,
        "synset": list(names),
        "lemmas": [[name] for name in names],
        "support": pa.array([1] * len(names), pa.int64()),
    } | {name: ["x"] * len(names) for name in ("family", "gloss", "lexname")}
    return Vocabulary(pa.table(columns).select(schema.VOCABULARY.names).cast(schema.VOCABULARY))


def above(found: Hierarchy, class_id: int) -> list[str]:
    return [found.synsets[place] for place in found.values[found.offsets[class_id] : found.offsets[class_id + 1]]]


NAMES = (
    "dog.n.01", "wolf.n.01", "cat.n.01", "puppy.n.01", "animal.n.01", "car.n.01", "truck.n.01", "chair.n.01",
    "run.v.01", "red.s.01+car.n.01", "table.n.02", "house.n.01",
)  # fmt: skip


def test_hierarchy_of__what_says_something_of_its_own(atlas: Atlas) -> None:
    found = hierarchy_of(vocabulary(atlas, *NAMES), atlas)
    assert above(found, 0) == ["dog.n.01", "canine.n.02", "carnivore.n.01", "animal.n.01"]
    assert above(found, 3) == ["dog.n.01", "canine.n.02", "carnivore.n.01", "animal.n.01"]
    assert above(found, 4) == ["animal.n.01"], "a class that others stand below"
    assert (
        above(found, 5)
        == above(found, 9)
        == ["car.n.01", "motor_vehicle.n.01", "instrumentality.n.03", "artifact.n.01"]
    )
    assert above(found, 7) == ["furniture.n.01", "instrumentality.n.03", "artifact.n.01"], "half of all, and no more"
    assert above(found, 8) == [], "nothing stands above a verb alone"
    assert found.words[found.synsets.index("motor_vehicle.n.01")] == "motor vehicle"


def test_hierarchy_of__every_synset_has_several_classes_and_not_too_many(atlas: Atlas) -> None:
    nouns = np.flatnonzero((atlas.ids < 200_000_000) & ~atlas.instances)
    drawn = np.random.default_rng(0).choice(nouns, 500, replace=False)
    found = hierarchy_of(vocabulary(atlas, *(atlas.names[place] for place in np.sort(drawn).tolist())), atlas)
    widths = np.bincount(found.values, minlength=len(found.synsets))
    assert widths.min() >= 2
    assert widths.max() <= 250
    classes = [tuple(k for k in range(500) if synset in above(found, k)) for synset in found.synsets[:40]]
    assert len(set(classes)) == len(classes), "no two say the same"


def test_hierarchy_of__unknown_synsets_stand_below_nothing(atlas: Atlas) -> None:
    words = vocabulary(atlas, "dog.n.01", "cat.n.01", "wolf.n.01", "chair.n.01")
    at = words.table.column_names.index("wnid")
    table = words.table.set_column(at, words.table.schema.field(at), pa.array(["n00000001", *words.wnids[1:]]))
    found = hierarchy_of(Vocabulary(table), atlas)
    assert above(found, 0) == []
    assert found.digest != hierarchy_of(words, atlas).digest
