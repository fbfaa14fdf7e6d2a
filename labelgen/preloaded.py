"""What workers import that parse, imported once: by the process that they are forked from.

No thread runs in any of that, so a fork is safe; pyarrow has one, and is left to the workers.
"""

import gc
from contextlib import suppress
from importlib import import_module

from labelgen.arrays.memory import collections_spared
from labelgen.parsing.torchless import do_without_torch

do_without_torch()
with collections_spared(), suppress(Exception):  # a worker imports it again, and says what is wrong
    import_module("labelgen.parsing.fastparse.parser")
    import_module("spacy")
gc.freeze()  # a collection in a worker would write to all of it, and so copy what is shared
