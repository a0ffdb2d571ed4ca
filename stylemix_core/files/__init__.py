"""Reading and writing files, safely: none of them is ours until it has proved so.

`source` tells what a file is by its first bytes. Pickles are data: `unpickle` reads them with the stack machine of
`pickle_machine` and nothing but the names of `pickle_globals`. `header` and `mapped` read safetensors, `stored` is what
a tensor is until it is asked for, `info` what `inspect_checkpoint` tells of a file, and `damage` turns what goes wrong
into words. `tensor_file` writes and reads the files of this package, `writing` lets any file appear complete or not at
all. `pictures` reads and writes pictures, `endings` and `coloured` know them without PyTorch.
"""
