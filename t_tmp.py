from benchmarks.label_throughput import __main__ as M, builds, variants
from benchmarks.label_throughput.variants import *
import sys
print(M.__file__)
if __name__ == "__main__":
    texts=[l.partition("\t")[0] for l in open("/tmp/speed/small.tsv")]
    f=[{n:Measured(1e-4*(i+1),{"a":1.0,"b":2.0},300.0) for i,n in enumerate(VARIANTS)}]*2
    M.show_variants(f,5e-5); M.show_stages(f); print(M.versions())
    print(builds.build(texts))
