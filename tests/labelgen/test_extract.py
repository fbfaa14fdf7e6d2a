import pickle

import pytest

from labelgen.extract import Settings, fingerprint
from labelgen.nouns import NOUNS
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard


@pytest.mark.parametrize("nouns", NOUNS)
def test_fingerprint__is_the_same_in_a_worker(nouns: str) -> None:
    """Settings reach a worker pickled: what they say must count, not which objects say it."""
    settings = Settings(rules=1, labeler="noun-chunks", fields=Fields(), keep_captions=False, terms="", tools={},
                        nouns=nouns)  # fmt: skip
    shard = InputShard(name="a", uri="a.tar", format="tar", identity="1", size=2)
    assert fingerprint(shard, pickle.loads(pickle.dumps(settings))) == fingerprint(shard, settings)
