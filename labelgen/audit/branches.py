"""The branch of WordNet in which a class stands: the nearest of some landmarks above it."""

import numpy as np
import pyarrow as pa

from labelgen.meaning.atlas import Atlas

_LANDMARKS = """
    person.n.01 mammal.n.01 bird.n.01 fish.n.01 reptile.n.01 insect.n.01 animal.n.01 plant.n.02 plant_organ.n.01
    plant_part.n.01 food.n.01 food.n.02 beverage.n.01 dish.n.02 clothing.n.01 footwear.n.01 fabric.n.01
    vehicle.n.01 building.n.01 structure.n.01 room.n.01 furniture.n.01 furnishing.n.02 container.n.01 tool.n.01
    device.n.01 musical_instrument.n.01 equipment.n.01 instrumentality.n.03 decoration.n.01 covering.n.02
    creation.n.02 way.n.06 artifact.n.01 body_part.n.01 geological_formation.n.01 body_of_water.n.01 region.n.03
    location.n.01 land.n.04 material.n.01 substance.n.01 substance.n.07 matter.n.03 natural_object.n.01
    object.n.01 physical_entity.n.01 social_group.n.01 group.n.01 sport.n.01 game.n.01 event.n.01 act.n.02
    communication.n.02 cognition.n.01 color.n.01 shape.n.02 attribute.n.02 state.n.02 time_period.n.01
    measure.n.02 relation.n.01 possession.n.02 process.n.06 phenomenon.n.01 abstraction.n.06 entity.n.01
"""
LANDMARKS = tuple(_LANDMARKS.split())


def branches(places: np.ndarray, atlas: Atlas) -> pa.StringArray:
    """string [K]: the landmark that each place, or its first hypernym, or that one's first …, is; null if none is."""
    parents = np.arange(len(atlas.ids))
    has_parent = atlas.hypernyms.lengths > 0
    parents[has_parent] = atlas.hypernyms.values[atlas.hypernyms.starts[:-1][has_parent]]
    is_landmark = np.zeros(len(atlas.ids), bool)
    is_landmark[atlas.places_of(LANDMARKS)] = True
    at = places.copy()
    while True:
        above = np.where((at >= 0) & ~is_landmark[at], parents[at], at)
        if np.array_equal(above, at):
            break
        at = above
    known = (at >= 0) & is_landmark[at]
    return pa.array(atlas.names).take(pa.array(at, mask=~known))
